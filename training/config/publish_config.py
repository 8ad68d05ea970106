"""The sections of a run that are read when the network is published."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from training.config.toml_document import Section

Method = Literal["none", "temperature", "platt"]
METHODS: tuple[Method, ...] = ("none", "temperature", "platt")


class GoldenPaper(Section):
    """A paper whose scores are checked at every start of the service; its text is published with the artefact."""

    title: str
    abstract: str = ""

    @model_validator(mode="after")
    def _has_text(self) -> "GoldenPaper":
        if not (self.title.strip() or self.abstract.strip()):
            raise ValueError("a golden paper needs a title or an abstract")
        return self


class QuantizationConfig(Section):
    """Dynamic int8. With `reduce_range` weights keep 7 bits, so that no processor's arithmetic saturates."""

    per_channel: bool = True
    reduce_range: bool = True


class CalibrationConfig(Section):
    """How the scores of the quantized graph become probabilities; the graph itself computes it.

    "platt" fits slope and intercept per label in log-odds, "temperature" the slope alone. Isotonic
    regression is measured beside them but not offered: its steps give many papers the same score,
    which costs ranking, and need some thousand papers per label to be worth it.
    """

    method: Method = "platt"


class ThresholdsConfig(Section):
    """How thresholds are chosen, per label: for the best F1, or the lowest that reaches a precision."""

    aim: Literal["f1", "precision"] = "f1"
    at_least: float | None = Field(default=None, gt=0, le=1, description='the precision, for `aim = "precision"`')

    @model_validator(mode="after")
    def _precision_is_given(self) -> "ThresholdsConfig":
        if (self.aim == "precision") != (self.at_least is not None):
            raise ValueError('`at_least` goes with `aim = "precision"`: give both, or neither')
        return self


class ScopeConfig(Section):
    """The detector of texts unlike the training papers; without this section no text is out of scope."""

    layer: int | None = Field(
        default=None, ge=0, description="whose hidden states are compared, 0 the embeddings; absent: the middle one"
    )
    false_alarms: float = Field(default=0.02, gt=0, lt=0.5, description="false positive rate on papers in scope")
    outliers: bool = Field(
        default=False,
        description="learn from texts of other kinds and fields as well (training/out_of_scope, tuning half); only "
        "where no label takes papers of medicine, history, law and such",
    )
    papers: int = Field(default=2400, ge=50, description="training papers it learns from, at several lengths")


class Gates(Section):
    """Limits on the loss by quantization, against fp32 on the validation papers.

    A gate is missed only if the measured figure is beyond its limit by more than chance explains. Then the next scheme
    of quantization is tried; if none is good enough, the best is published with a warning, or, if `strict`, none is.
    """

    micro_f1_loss: float = Field(default=0.003, description="at most this much below fp32")
    flipped: float = Field(default=0.03, description="at most this share of papers with a changed decision")
    size: float = Field(default=0.4, gt=0, description="of the quantized graph, at most this share of fp32's bytes")
    bytes: int | None = Field(default=None, ge=1, description="of the quantized graph, at most; absent: any")
    strict: bool = Field(default=False, description="publish nothing if a gate is missed")


class ArtefactConfig(Section):
    """A further artefact made of the same fitted network, under a name of its own."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")
    cut_after: int | None = Field(
        default=None, ge=1, description="leave out the layers above this one, which must be among the exits"
    )
    max_tokens: int | None = Field(
        default=None,
        ge=8,
        description="word pieces that it reads of a paper, at most those of [input]; absent: as many",
    )
    labels: Literal["labels", "categories"] = Field(
        default="labels", description='"categories": those of the auxiliary head'
    )
    validation: Path | None = Field(
        default=None,
        description="of categories: papers that thresholds are chosen by; the run must not train on them, see "
        "data.held_out",
    )
    test: Path | None = Field(
        default=None,
        description="of categories: papers that are only reported on; the run must not train on them either",
    )
    limits: tuple[str, ...] | None = Field(default=None, description="absent: those of the run")

    @model_validator(mode="after")
    def _head_exists(self) -> "ArtefactConfig":
        if self.cut_after is not None and self.labels == "categories":
            raise ValueError("`cut_after` goes with the labels, not with categories: exits have no head for these")
        if self.labels != "categories" and (self.validation or self.test):
            raise ValueError(
                f'`validation` and `test` of {self.name} go with `labels = "categories"`: an artefact of the labels is '
                "measured on the papers of [data]; leave them out"
            )
        return self
