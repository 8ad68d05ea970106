"""The model card as JSON, from the manifest."""

from typing import Any

from app.api.schemas import CardOut, LabelCard
from model_store.manifest import Manifest

_VERBATIM = (
    "name", "version", "created", "licence", "calibration", "aim", "uncertain", "scope",
    "input", "quantization", "provenance", "limits",
)  # fmt: skip


def card(manifest: Manifest, sha256: str) -> CardOut:
    """What an artefact says about itself, labels with their quality first."""
    plain = manifest.model_dump(mode="json")
    return CardOut(
        labels=[_label(label, plain["quality"]["per_label"]) for label in plain["labels"]],
        quality={name: value for name, value in plain["quality"].items() if name != "per_label"},
        base_encoder=plain["provenance"].pop("base_encoder"),
        sha256=sha256,
        **{name: plain[name] for name in _VERBATIM},
    )


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the client has this already; weak comparison, RFC 9110, section 13.1.2."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in given or given == ["*"]


def _label(label: dict[str, Any], quality: dict[str, dict[str, Any]]) -> LabelCard:
    return LabelCard(**label, **quality.get(label["id"], {}))
