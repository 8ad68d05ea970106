#!/usr/bin/env bash
# Installs from Debian what deploy/test_image.sh, deploy/push_image.sh and the tests of the load balancer run, where it is
# missing.
set -euo pipefail
missing=()
for pair in dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap haproxy:haproxy \
    skopeo:skopeo docker-registry:docker-registry; do
    [[ -n $(command -v "${pair%%:*}") ]] || missing+=("${pair##*:}")
done
if ((${#missing[@]} == 0)); then exit; fi
timeout 120 apt-get update -qq
# In run level 1 the packages do not start their services.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive timeout 240 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
# The registry is for tests: it is not to start with the machine.
if [[ " ${missing[*]} " == *" docker-registry "* ]]; then systemctl disable --quiet docker-registry || true; fi
