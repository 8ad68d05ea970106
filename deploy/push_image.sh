#!/usr/bin/env bash
# Builds the image, attaches an SBOM of its content and the provenance of its build, pushes all three under one digest,
# and prints this digest. Uses Docker's buildx; where it is not installed, any Docker engine and skopeo, which write the
# same format. The base is the one in the Dockerfile, or the second argument.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:?expected the name of the image: make push-image IMAGE=registry.example/paper-subjects:0.1.0}
base=${2:-$(sed -n 's/^ARG PYTHON=//p' Dockerfile)}
if [[ -n $(git status --porcelain) ]]; then
    echo "the checkout has changes that the provenance would not name: commit them first" >&2
    exit 65
fi

with_buildx() {
    # The engine's own builder keeps no attestations; one in a container of its own does.
    local builder=paper-subjects
    docker buildx inspect "$builder" >/dev/null 2>&1 || docker buildx create --name "$builder" --driver docker-container
    docker buildx build --builder "$builder" --build-arg "PYTHON=$base" --sbom=true --provenance=mode=max \
        --push --tag "$image" .
    docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}'
}

with_skopeo() {
    work=$(mktemp -d /var/tmp/paper-subjects-push.XXXXXX)
    trap 'rm --recursive --force "$work"' EXIT
    local digest verify=true
    digest=$(docker pull "$base" | sed -n 's/^Digest: //p')
    base=${base%@*}@$digest
    # As Docker does, expect no TLS of a registry on this machine.
    if [[ $image == localhost:* || $image == 127.0.0.1:* ]]; then verify=false; fi

    docker build --network host --build-arg "PYTHON=$base" --tag "$image" . >&2
    docker run --rm --interactive --network none "$image" python - <deploy/sbom.py >"$work/sbom.json"
    docker save --output "$work/image.tar" "$image"
    skopeo inspect --raw --config "docker-archive:$work/image.tar" >"$work/config.json"
    skopeo copy --quiet "docker-archive:$work/image.tar" "oci:$work/layout:image"
    python3 deploy/attest.py "$work/layout" --name "$image" --config "$work/config.json" \
        --sbom "$work/sbom.json" --commit "$(git rev-parse HEAD)" --base "$base"
    skopeo copy --quiet --all --preserve-digests --dest-tls-verify=$verify --digestfile "$work/digest" \
        "oci:$work/layout:attested" "docker://$image"
    cat "$work/digest"
}

if docker buildx version >/dev/null 2>&1; then
    with_buildx
elif skopeo --version >/dev/null 2>&1; then
    with_skopeo
else
    echo "neither docker buildx nor skopeo is installed (make engine installs skopeo)" >&2
    exit 69
fi
