"""The content of `figures.json` and of the report; it never quotes a paper."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Part):
    """A metric with its 95 % bootstrap interval; null where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


class ArtefactRef(_Part):
    """The artefact that was evaluated."""

    name: str
    version: str
    sha256: str = Field(description="of its manifest, which holds the checksums of all its files")


class Dataset(_Part):
    """The papers that it was evaluated on."""

    file: str
    sha256: str
    counts: dict[str, int] = Field(description="rows, those left out by reason, and those kept")
    part_of: str | None = Field(description="the name under which the artefact's run used this file, if it did")


class Bin(_Part):
    """Papers whose probabilities lie in one interval."""

    papers: int
    promised: float = Field(description="mean probability given")
    observed: float = Field(description="share of them that carry the label")


class Reliability(_Part):
    """How well the probabilities of one label agree with observed frequencies."""

    brier: float
    ece_equal_width: float
    ece_equal_mass: float
    bins: list[Bin] = Field(description="of equal width, empty ones left out")


class CurvePoint(_Part):
    """Precision and recall at one threshold."""

    threshold: float
    precision: float
    recall: float


class LabelEvaluation(_Part):
    """One label."""

    id: str
    name: str
    threshold: float
    title_threshold: float | None = Field(description="where there is no abstract; none: the same")
    support: int = Field(description="papers that carry the label")
    given: int = Field(description="papers that got it")
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate
    reliability: Reliability
    curve: list[CurvePoint]


class Slice(_Part):
    """Papers that have something in common."""

    name: str
    papers: int
    micro_f1: Estimate
    subset_accuracy: Estimate


class Status(_Part):
    """Papers that got one status."""

    name: str
    papers: int
    share: float
    wrong: Estimate = Field(description="share of them with at least one wrong label")


class Confusion(_Part):
    """Papers by label (row) and wrongly given label (column), both in the order of the labels."""

    instead: list[list[int]] = Field(description="the row's label was missed, the column's given wrongly")
    besides: list[list[int]] = Field(description="the row's label was found, the column's given wrongly as well")
    missed: list[int] = Field(description="papers on which the label was missed")
    missed_for_nothing: list[int] = Field(description="those of them on which no label was given wrongly")
    together_true: list[list[int]] = Field(description="papers that carry both labels")
    together_given: list[list[int]] = Field(description="papers that got both labels")


class Comparison(_Part):
    """Another artefact on the same papers; differences are the first's metrics minus the other's, paired."""

    other: ArtefactRef
    differences: dict[str, Estimate]
    label_differences: dict[str, dict[str, Estimate]] = Field(description="by label id, then by metric")
    both_right: int = Field(description="papers on which both have all labels right")
    only_first_right: int
    only_other_right: int
    neither_right: int


class Evaluation(_Part):
    """Everything that was measured."""

    artefact: ArtefactRef
    data: Dataset
    resamples: int
    seed: int
    papers: int
    truncated: int = Field(description="papers that are longer than the artefact reads")
    headline: dict[str, Estimate]
    labels: list[LabelEvaluation]
    slices: dict[str, list[Slice]] = Field(description="by the property that groups the papers")
    statuses: list[Status]
    confusion: Confusion
    mistakes: int = Field(description="wrong labels, too many or too few, over all papers")
    comparison: Comparison | None = None
