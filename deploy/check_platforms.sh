#!/usr/bin/env bash
# Fails unless the pinned requirements resolve, and have a wheel each, for every supported Python and platform. The
# resolver answers for all of them; no such interpreter or machine is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
pythons=(3.11 3.12 3.13 3.14)
platforms=(x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin)
# onnxruntime's wheels need macOS 14.
export MACOSX_DEPLOYMENT_TARGET=14.0
failed=0

# check FILE EXTRA...: whether these extras resolve for $python and $platform with the pins of FILE alone.
check() {
    local file=$1 resolved
    shift
    local pins
    pins=$(grep -oE '^[a-z0-9][a-z0-9._-]*==[^ ;]+' "$file")
    if ! resolved=$(.venv/bin/uv pip compile --quiet --no-header --no-annotate --only-binary :all: \
        --python-version "$python" --python-platform "$platform" --constraints <(printf '%s\n' "$pins") \
        "${@/#/--extra=}" pyproject.toml); then
        failed=1
        return
    fi
    local extra
    extra=$(grep -vxF "$pins" <<<"$resolved" | grep -vE "$left_out" || true)
    if [[ -n $extra ]]; then
        echo "$file has no pin for what Python $python on $platform needs: $extra" >&2
        failed=1
    fi
}

# What `make lock` leaves out on purpose.
left_out='^(huggingface-hub|filelock|fsspec|hf-xet|httpx2|httpcore2|pyyaml|tqdm|truststore|torch)=='
for python in "${pythons[@]}"; do
    for platform in "${platforms[@]}"; do
        check requirements/serve.txt serve
        check requirements/test.txt serve tables train dev
        echo "Python $python on $platform: checked"
    done
done
exit $failed
