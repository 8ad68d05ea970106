"""The model card: its schema, and how it is made from the manifest."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from model_store.manifest import Manifest

_Absent = SkipJsonSchema[None]
_COPIED = (
    "name", "version", "created", "licence", "calibration", "aim", "uncertain", "scope",
    "input", "quantization", "provenance", "limits",
)  # fmt: skip


class LabelCard(BaseModel):
    """One label and its quality on the validation papers; intervals are 95 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    threshold: float
    title_threshold: float | _Absent = Field(
        default=None, description="the threshold for papers without an abstract, if it differs"
    )
    support: int | _Absent = Field(default=None, description="validation papers that carry the label")
    precision: float | _Absent = None
    recall: float | _Absent = None
    f1: float | _Absent = None
    f1_interval: list[float] | _Absent = Field(default=None, min_length=2, max_length=2)
    average_precision: float | _Absent = None
    calibration_error: float | _Absent = Field(default=None, description="expected calibration error, held out")


class CardOut(BaseModel):
    """The model card; objects without a fixed schema are copied from the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    sha256: str
    created: str
    licence: str
    labels: list[LabelCard]
    calibration: dict[str, JsonValue] = Field(description="the method, its parameters, and the other methods' errors")
    aim: dict[str, JsonValue] = Field(description="what the thresholds were chosen for")
    scope: dict[str, JsonValue] | _Absent = Field(
        default=None, description="when a text is out of scope, and how reliably such texts are detected; absent: never"
    )
    uncertain: dict[str, JsonValue] = Field(description="the rule, and its effect on the validation papers")
    input: dict[str, JsonValue]
    quality: dict[str, JsonValue]
    quantization: dict[str, JsonValue] = Field(description="the scheme, and what it cost compared with fp32")
    base_encoder: str
    provenance: dict[str, JsonValue]
    limits: list[str]


def card(manifest: Manifest, sha256: str) -> CardOut:
    """The model card of one artefact."""
    document = manifest.model_dump(mode="json")
    return CardOut(
        labels=[_label(label, document["quality"]["per_label"]) for label in document["labels"]],
        quality={name: value for name, value in document["quality"].items() if name != "per_label"},
        base_encoder=document["provenance"].pop("base_encoder"),
        sha256=sha256,
        **{name: document[name] for name in _COPIED},
    )


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the client has this version already; weak comparison, RFC 9110, section 13.1.2."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _label(label: dict[str, Any], quality: dict[str, dict[str, Any]]) -> LabelCard:
    return LabelCard(**label, **quality.get(label["id"], {}))
