"""The manifest: the description of an artefact."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from model_store.labels import Decision, GraphOutput, Label, UncertainRule, decide
from model_store.papers import InputFormat
from model_store.quality import Calibration, CalibrationError, LabelQuality, Line, Quality, TitleQuality

__all__ = [
    "SCHEMA_VERSION",
    "Calibration",
    "CalibrationError",
    "Caught",
    "Exit",
    "FileEntry",
    "LabelQuality",
    "Line",
    "Manifest",
    "Provenance",
    "Quality",
    "Quantization",
    "Scope",
    "ThresholdAim",
    "TitleQuality",
    "schema_of",
]

# 2 added calibration, the aim of the thresholds and the scope; 3 added prepared text, exits, figures on test papers
# and titles, parents and URIs of labels, other layouts of a paper, and artefacts without figures. Earlier ones are
# read, with these absent.
SCHEMA_VERSION: Literal[3] = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file of the artefact as it was when published."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ThresholdAim(_Part):
    """What the thresholds were chosen for."""

    aim: Literal["f1", "precision"] = "f1"
    at_least: float | None = Field(default=None, gt=0, le=1, description="the precision aimed at")


class Caught(_Part):
    """The number of texts of one kind, and the fraction of them detected as out of scope."""

    texts: int = Field(ge=1)
    caught: float = Field(ge=0, le=1)


class Scope(_Part):
    """When a text is out of scope: if its distance from the training papers exceeds that of nearly all papers.

    The graph's output `distance` is the logarithm of the squared Mahalanobis distance of the mean
    hidden state of one layer from those of training papers (Lee et al. 2018), minus the usual value
    at that length; or, if larger, a linear function of that state that detects outliers.
    """

    layer: int = Field(ge=0, description="0 is the embeddings")
    outliers: bool = Field(default=False, description="whether the detector was fitted with outliers")
    threshold: float
    title_threshold: float = Field(description="where there is no abstract")
    false_alarms: float = Field(description="share of validation papers beyond thresholds chosen on others (5 folds)")
    title_false_alarms: float = Field(description="the same without their abstracts")
    caught: Caught = Field(description="texts of the testing half, all counted kinds together")
    kinds: dict[str, Caught]
    near_misses: Caught | None = Field(default=None, description="scholarly texts of other fields; not counted")

    def excludes(self, output: GraphOutput, *, title_only: bool) -> bool:
        """Whether the text is out of scope."""
        threshold = self.title_threshold if title_only else self.threshold
        return output.distance is not None and output.distance > threshold


class Exit(_Part):
    """An early exit: a part of the network, and the margin at which a paper exits after it.

    Scores of the golden papers must not lie near a margin: another processor's rounding would send
    the paper to another exit.
    """

    file: str = Field(description="the ONNX file of this part")
    layer: int = Field(ge=1, description="the last encoder layer of this part")
    margin: float = Field(
        ge=0, description="a paper exits if every score is at least this far from its threshold, in log-odds"
    )
    title_margin: float | None = Field(
        default=None, ge=0, description="the same where there is no abstract; absent: such a paper does not exit here"
    )
    share: float = Field(ge=0, le=1, description="fraction of the validation papers that exit here")
    micro_f1: float | None = Field(default=None, description="on the validation papers if all of them exited here")

    def is_taken(self, closeness: ArrayLike, *, title_only: bool) -> bool:
        """Whether a paper exits here whose scores are at least `closeness` away from their thresholds, in log-odds."""
        margin = self.title_margin if title_only else self.margin
        return margin is not None and bool(np.asarray(closeness) >= margin)


class Quantization(_Part):
    """How the weights were quantized, and the loss against fp32 on the validation papers.

    Where there are none, decisions were compared on texts of this package.
    """

    scheme: str
    bytes_fp32: int
    micro_f1_fp32: float | None = Field(default=None, description="absent: there were no validation papers")
    micro_f1_int8: float | None = Field(
        default=None, description="as `micro_f1_fp32`, at the best thresholds for its own scores; absent: not recorded"
    )
    flipped: float = Field(ge=0, le=1, description="share of papers with at least one decision changed")
    largest_change: float = Field(ge=0, le=1, description="largest change of any score")


class Provenance(_Part):
    """What is needed to reproduce the training."""

    base_encoder: str
    imported: str | None = Field(
        default=None, description="the class of a model that was fine-tuned elsewhere; absent: fine-tuned by this run"
    )
    config: str = Field(description="the run's TOML, verbatim")
    seed: int
    libraries: dict[str, str]
    data: dict[str, JsonValue] = Field(description="fingerprints and cleaning counts, by file")
    git_commit: str | None


class Manifest(_Part):
    """Everything that serving needs. A label's position is its column in the scores."""

    schema_version: Literal[1, 2, 3] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    created: str = Field(description="ISO 8601, UTC")
    labels: tuple[Label, ...] = Field(min_length=1)
    input: InputFormat
    uncertain: UncertainRule
    calibration: Calibration = Calibration()
    aim: ThresholdAim = ThresholdAim()
    scope: Scope | None = Field(default=None, description="absent: nothing is ever out of scope")
    exits: tuple[Exit, ...] = Field(default=(), description="empty: one graph, which all papers pass as a whole")
    quality: Quality | None = Field(
        default=None,
        description="on the validation papers, which also chose thresholds and calibration; absent: not measured",
    )
    test: Quality | None = Field(default=None, description="on test papers, which were used for no choice")
    quantization: Quantization
    provenance: Provenance
    licence: str
    limits: tuple[str, ...] = ()
    files: dict[str, FileEntry]

    def decide(self, output: GraphOutput, *, title_only: bool, withdrawn: bool = False) -> Decision:
        """The decision for one paper; `title_only` if the network got no abstract."""
        excluded = self.scope is not None and self.scope.excludes(output, title_only=title_only)
        return decide(
            output.scores,
            self.labels,
            self.uncertain,
            title_only=title_only,
            out_of_scope=excluded,
            withdrawn=withdrawn,
        )

    @field_validator("calibration", mode="before")
    @classmethod
    def _read_schema_1(cls, given: object) -> object:
        return {"method": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "Manifest":
        for what in ("id", "name"):
            values = [getattr(label, what) for label in self.labels]
            if len(set(values)) != len(values):
                raise ValueError(f"two labels share the same {what}: {values}")
        return self

    @model_validator(mode="after")
    def _exits_are_in_order(self) -> "Manifest":
        if not self.exits:
            return self
        layers = [exit_.layer for exit_ in self.exits]
        if layers != sorted(set(layers)):
            raise ValueError(f"the exits' layers are {layers}, expected them in rising order")
        if (self.exits[-1].margin, self.exits[-1].title_margin) != (0, 0):
            raise ValueError("the last exit has a margin; every paper that reaches it exits, so both margins must be 0")
        return self


def schema_of(document: dict[str, Any]) -> object:
    """The schema version that a manifest states, before anything else of it is validated."""
    return document.get("schema_version")
