#!/usr/bin/env bash
# Builds the image, runs it under Docker Compose and tests it: tests/image.
#
# Uses the Docker engine that answers; otherwise starts one of its own, which ends with this script (as root, where
# dockerd is installed: `make engine`). Builds on the base that the Dockerfile names if a registry has it; otherwise on
# one made from Debian's packages. Exits with 75 if there is no engine or no base to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly no_engine=75
work=$(mktemp -d /var/tmp/paper-subjects-image.XXXXXX)

give_up() {
    echo "the image is not tested: $1" >&2
    exit $no_engine
}

clean_up() {
    if [[ -f $work/pid ]]; then
        local daemon
        daemon=$(<"$work/pid")
        docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null || true
        kill "$daemon" && timeout 30 tail --pid="$daemon" --follow /dev/null || true
    fi
    # The engine and debootstrap, if they were interrupted, leave mounts behind.
    awk -v below="$work/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort --reverse | xargs --no-run-if-empty umount || true
    rm --recursive --force --one-file-system "$work" || true
}
trap clean_up EXIT

start_engine() {
    [[ $(id -u) == 0 ]] || give_up "no Docker engine answers, and only root can start one"
    [[ -n $(command -v dockerd) ]] || give_up "no Docker engine answers, and dockerd is not installed: make engine"
    export DOCKER_HOST=unix://$work/docker.sock
    dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" \
        >"$work/engine.log" 2>&1 </dev/null &
    for _ in $(seq 60); do
        if timeout 5 docker version >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    tail -5 "$work/engine.log" >&2
    give_up "dockerd did not start"
}

# The base needs Python, and this machine's certificates where a proxy stands before the package registry.
make_base() {
    [[ -n $(command -v debootstrap) ]] || give_up "no registry has $1, and debootstrap is not installed: make engine"
    timeout 300 debootstrap --variant=minbase --include=python3,python3-pip,python3-venv bookworm "$work/base" \
        >"$work/base.log" 2>&1 || give_up "no registry has $1, and debootstrap could not make a base in 300 s"
    ln -sf python3 "$work/base/usr/bin/python"
    mkdir -p "$work/base/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
    tar --create --directory "$work/base" . | docker import - paper-subjects-base >/dev/null
}

timeout 20 docker version >/dev/null 2>&1 || start_engine
base=$(sed -n 's/^ARG PYTHON=//p' Dockerfile)
if ! timeout 120 docker pull --quiet "$base" >/dev/null 2>&1; then
    make_base "$base"
    base=paper-subjects-base
fi
PAPER_SUBJECTS_BASE=$base .venv/bin/python -m pytest -m image tests/image
