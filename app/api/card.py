"""The model card: its schema, and its construction from the manifest."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from model_store.manifest import Manifest

_Absent = SkipJsonSchema[None]
_COPIED = (
    "name", "version", "created", "licence", "calibration", "aim", "uncertain", "scope",
    "input", "quantization", "provenance", "limits",
)  # fmt: skip


class LabelQualityOut(BaseModel):
    """Quality figures of one label; intervals are 95 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    support: int | _Absent = Field(default=None, description="papers that carry the label")
    precision: float | _Absent = None
    recall: float | _Absent = None
    f1: float | _Absent = None
    f1_interval: list[float] | _Absent = Field(default=None, min_length=2, max_length=2)
    average_precision: float | _Absent = None
    calibration_error: float | _Absent = Field(default=None, description="expected calibration error, held out")


class LabelCard(LabelQualityOut):
    """One label and its quality on the validation papers; intervals are 95 %."""

    id: str
    name: str = Field(description="the label's key in `probabilities` and `labels`")
    title: str | _Absent = Field(default=None, description="for people, where `name` is a code")
    parent: str | _Absent = Field(default=None, description="what the label belongs to, for example an archive")
    uri: str | _Absent = Field(default=None, description="the label in a vocabulary")
    few_papers: bool = Field(default=False, description="whether threshold and calibration rest on few papers")
    threshold: float
    title_threshold: float | _Absent = Field(
        default=None, description="the threshold for papers without an abstract, if it differs"
    )
    test: LabelQualityOut | _Absent = Field(
        default=None, description="quality on the test papers, which were used for no choice"
    )


class ExitOut(BaseModel):
    """An early exit: a layer at which scoring may stop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: int
    margin: float = Field(
        description="a paper exits here if every score is at least this far from its threshold, in log-odds"
    )
    title_margin: float | _Absent = Field(
        default=None, description="the same for papers without an abstract; absent: they do not exit here"
    )
    share: float = Field(description="fraction of the validation papers that exit here")
    micro_f1: float | _Absent = Field(default=None, description="on the validation papers if all of them exited here")


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
    quality: dict[str, JsonValue] | _Absent = Field(
        default=None,
        description="on the validation papers, which were also used to choose the thresholds; absent: not measured",
    )
    test: dict[str, JsonValue] | _Absent = Field(
        default=None, description="the same figures on test papers, which were used for no choice"
    )
    exits: list[ExitOut] = Field(default=[], description="early exits; empty: every paper passes all layers")
    quantization: dict[str, JsonValue] = Field(description="the scheme, and what it cost compared with fp32")
    base_encoder: str
    provenance: dict[str, JsonValue]
    limits: list[str]


def card(manifest: Manifest, sha256: str) -> CardOut:
    """The model card of one artefact."""
    document = manifest.model_dump(mode="json")
    quality, test = document["quality"], document["test"]
    per_label, per_label_test = (figures.pop("per_label") if figures else {} for figures in (quality, test))
    return CardOut(
        labels=[
            LabelCard(**label, **per_label.get(label["id"], {}), test=per_label_test.get(label["id"]))
            for label in document["labels"]
        ],
        quality=quality,
        test=test,
        exits=[ExitOut(**exit_.model_dump(exclude={"file"})) for exit_ in manifest.exits],
        base_encoder=document["provenance"].pop("base_encoder"),
        sha256=sha256,
        **{name: document[name] for name in _COPIED},
    )


def matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` lists the ETag; weak comparison (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
