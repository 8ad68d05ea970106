#!/usr/bin/env bash
# Builds the image, attaches an SBOM of its content and the provenance of its build, pushes all three, and prints the
# digest to deploy. Needs Docker's buildx, which Debian 12 does not package, and a registry that keeps attestations.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:?expected the name of the image: make push-image IMAGE=registry.example/paper-subjects:0.1.0}
if ! docker buildx version >/dev/null 2>&1; then
    echo "docker buildx is not installed; without it, build and push the image and publish the output of make sbom" >&2
    exit 69
fi
if [[ -n $(git status --porcelain) ]]; then
    echo "the checkout has changes that the provenance would not name: commit them first" >&2
    exit 65
fi
# The engine's own builder keeps no attestations; one in a container of its own does.
readonly builder=paper-subjects
docker buildx inspect "$builder" >/dev/null 2>&1 || docker buildx create --name "$builder" --driver docker-container
docker buildx build --builder "$builder" --sbom=true --provenance=mode=max --push --tag "$image" .
docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}'
