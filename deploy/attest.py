"""Attach an SBOM and the provenance of its build to an image, in the format in which BuildKit attaches them.

The folder is an OCI layout that holds the image under the tag `image`. The tag `attested` is added: an index of the
image and of a manifest with two in-toto statements about it, so that one digest names all of them.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
STATEMENT = "application/vnd.in-toto+json"
CYCLONEDX = "https://cyclonedx.org/bom"
PROVENANCE = "https://slsa.dev/provenance/v1"
TAG = "org.opencontainers.image.ref.name"

Json = dict[str, Any]


class Layout:
    """An OCI layout: blobs by digest, and an index of tags."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs/sha256"
        self._index = folder / "index.json"

    def tagged(self, tag: str) -> Json:
        """The descriptor with this tag."""
        tags: list[Json] = json.loads(self._index.read_text())["manifests"]
        (descriptor,) = [entry for entry in tags if entry["annotations"][TAG] == tag]
        return descriptor

    def read(self, descriptor: Json) -> Json:
        content: Json = json.loads((self._blobs / descriptor["digest"].removeprefix("sha256:")).read_bytes())
        return content

    def add(self, media_type: str, content: Json) -> Json:
        """Store a document as a blob and return its descriptor."""
        encoded = json.dumps(content).encode()
        digest = hashlib.sha256(encoded).hexdigest()
        (self._blobs / digest).write_bytes(encoded)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(encoded)}

    def tag(self, descriptor: Json, tag: str) -> None:
        index = json.loads(self._index.read_text())
        index["manifests"].append(descriptor | {"annotations": {TAG: tag}})
        self._index.write_text(json.dumps(index))


def provenance(commit: str, base: str) -> Json:
    """The predicate of SLSA's provenance: the commit and the base image from which the image was built."""
    name, _, digest = base.partition("@sha256:")
    if len(digest) != 64:
        raise SystemExit(f"expected the base image with its digest, as in NAME@sha256:…, not {base}")
    return {
        "buildDefinition": {
            "buildType": "urn:paper-subjects:docker-build",
            "externalParameters": {"dockerfile": "Dockerfile", "buildArgs": {"PYTHON": base}},
            "resolvedDependencies": [
                {"name": "source", "digest": {"gitCommit": commit}},
                {"name": "base", "uri": f"docker://{name}", "digest": {"sha256": digest}},
            ],
        },
        "runDetails": {"builder": {"id": "urn:paper-subjects:push-image"}},
    }


def statement(subject: Json, kind: str, predicate: Json) -> Json:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": kind,
        "predicate": predicate,
    }


def attestations(layout: Layout, image: Json, statements: dict[str, Json]) -> Json:
    """The entry of the index for a manifest with these statements, by predicate type, about the image."""
    layers = [
        layout.add(STATEMENT, content) | {"annotations": {"in-toto.io/predicate-type": kind}}
        for kind, content in statements.items()
    ]
    platform = {"architecture": "unknown", "os": "unknown"}
    files = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = layout.add(CONFIG, platform | {"config": {}, "rootfs": files})
    reference = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image["digest"],
    }
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return layout.add(MANIFEST, manifest) | {"platform": platform, "annotations": reference}


def attest(layout: Layout, name: str, config: Json, predicates: dict[str, Json]) -> None:
    """Tag an index of the image, with this configuration, and of what is stated about it."""
    # The layout's own configuration lacks the health check, which is an extension of Docker.
    manifest = layout.read(layout.tagged("image")) | {"config": layout.add(CONFIG, config)}
    image = layout.add(MANIFEST, manifest)
    subject = {"name": name, "digest": {"sha256": image["digest"].removeprefix("sha256:")}}
    statements = {kind: statement(subject, kind, predicate) for kind, predicate in predicates.items()}
    platform = {key: config[key] for key in ("architecture", "os")}
    manifests = [image | {"platform": platform}, attestations(layout, image, statements)]
    layout.tag(layout.add(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}), "attested")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--config", required=True, type=Path, help="the image's configuration, as Docker wrote it")
    parser.add_argument("--sbom", required=True, type=Path)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--base", required=True, help="NAME@sha256:DIGEST")
    options = parser.parse_args()
    attest(
        Layout(options.layout),
        options.name,
        json.loads(options.config.read_text()),
        {
            CYCLONEDX: json.loads(options.sbom.read_text()),
            PROVENANCE: provenance(options.commit, options.base),
        },
    )
