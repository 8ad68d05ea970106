"""The manifest: everything an artefact says about itself."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from model_store.labels import Label, UncertainRule
from model_store.papers import InputFormat

SCHEMA_VERSION: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file of the artefact as it was when published."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class LabelQuality(_Part):
    """How well one label is found on the validation papers; intervals are 95 % bootstrap."""

    support: int = Field(ge=0, description="validation papers that carry the label")
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    average_precision: float


class Quality(_Part):
    """Measured on the shipped file, through the same classifier that serves it."""

    papers: int = Field(ge=1, description="validation papers")
    micro_f1: float
    micro_f1_interval: tuple[float, float]
    macro_f1: float
    mean_average_precision: float
    subset_accuracy: float
    hamming_loss: float
    per_label: dict[str, LabelQuality] = Field(description="by label id")
    baseline: dict[str, float] | None = Field(
        default=None, description="TF-IDF with logistic regression, trained on the same papers"
    )


class Quantization(_Part):
    """What was done to the weights, and what it cost against fp32 on the validation papers."""

    scheme: str
    bytes_fp32: int
    micro_f1_fp32: float
    flipped: float = Field(ge=0, le=1, description="share of papers with at least one decision changed")
    largest_change: float = Field(ge=0, le=1, description="largest change of any score")


class Provenance(_Part):
    """Enough to train it again."""

    base_encoder: str
    config: str = Field(description="the run's TOML, verbatim")
    seed: int
    libraries: dict[str, str]
    data: dict[str, JsonValue] = Field(description="fingerprints and cleaning counts, by file")
    git_commit: str | None


class Manifest(_Part):
    """The contract as data. A label's position is its column in the scores."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    created: str = Field(description="ISO 8601, UTC")
    labels: tuple[Label, ...] = Field(min_length=1)
    input: InputFormat
    uncertain: UncertainRule
    calibration: Literal["none"] = Field(default="none", description="the graph ends in the sigmoid")
    quality: Quality
    quantization: Quantization
    provenance: Provenance
    licence: str
    limits: tuple[str, ...] = ()
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "Manifest":
        for what in ("id", "name"):
            values = [getattr(label, what) for label in self.labels]
            if len(set(values)) != len(values):
                raise ValueError(f"two labels share the same {what}: {values}")
        return self


def schema_of(document: dict[str, Any]) -> object:
    """The schema version a manifest claims, before anything else of it is trusted."""
    return document.get("schema_version")
