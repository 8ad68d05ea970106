#!/usr/bin/env bash
# Replaces the tag of the base image in the Dockerfile by the tag and the digest that its registry has for it.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$(sed -n 's/^ARG PYTHON=\([^@]*\).*/\1/p' Dockerfile)
docker pull --quiet "$tag" >/dev/null
digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$tag")
sed -i "s|^ARG PYTHON=.*|ARG PYTHON=$tag@${digest#*@}|" Dockerfile
grep '^ARG PYTHON=' Dockerfile
