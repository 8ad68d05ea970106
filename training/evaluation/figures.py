"""The shapes of an evaluation's numbers: what figures.json holds and the report shows. Never a text of a paper."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Part):
    """A figure with its 95 % bootstrap interval; null where nothing can be measured."""

    value: float | None
    low: float | None
    high: float | None


class Subject(_Part):
    """The artefact that was asked."""

    name: str
    version: str
    sha256: str = Field(description="of its manifest, which holds the checksums of all its files")


class Data(_Part):
    """The papers it was asked about."""

    file: str
    sha256: str
    counts: dict[str, int] = Field(description="rows, those left out by reason, and those kept")
    part_of: str | None = Field(description="the same file in the artefact's own making, if it took part in it")


class Bin(_Part):
    """Papers of like probability."""

    papers: int
    promised: float = Field(description="mean probability given")
    observed: float = Field(description="share of them that carry the label")


class Reliability(_Part):
    """What the probabilities of one label are worth."""

    brier: float
    ece_equal_width: float
    ece_equal_mass: float
    bins: list[Bin] = Field(description="of equal width, empty ones left out")


class CurvePoint(_Part):
    """What another threshold would give."""

    threshold: float
    precision: float
    recall: float


class LabelFigures(_Part):
    """One label."""

    id: str
    name: str
    threshold: float
    title_threshold: float | None = Field(description="where there is no abstract; none: the same")
    support: int = Field(description="papers that carry the label")
    given: int = Field(description="papers that got it")
    precision: Figure
    recall: Figure
    f1: Figure
    average_precision: Figure
    reliability: Reliability
    curve: list[CurvePoint]


class Slice(_Part):
    """Papers that have something in common."""

    name: str
    papers: int
    micro_f1: Figure
    subset_accuracy: Figure


class Status(_Part):
    """Papers that got one status."""

    name: str
    papers: int
    share: float
    wrong: Figure = Field(description="share of them with at least one wrong label")


class Confusion(_Part):
    """Papers by label (row) and wrongly given label (column), both in the order of the labels."""

    instead: list[list[int]] = Field(description="the row's label was missed, the column's given wrongly")
    besides: list[list[int]] = Field(description="the row's label was found, the column's given wrongly as well")
    missed: list[int] = Field(description="papers on which the label was missed")
    missed_for_nothing: list[int] = Field(description="those of them on which no label was given wrongly")
    together_true: list[list[int]] = Field(description="papers that carry both labels")
    together_given: list[list[int]] = Field(description="papers that got both labels")


class Comparison(_Part):
    """Another artefact on the same papers; a difference is the first's figure minus the other's, paired."""

    other: Subject
    differences: dict[str, Figure]
    label_differences: dict[str, dict[str, Figure]] = Field(description="by label id, then by figure")
    both_right: int = Field(description="papers on which both have all labels right")
    only_first_right: int
    only_other_right: int
    neither_right: int


class Evaluation(_Part):
    """Everything that was measured."""

    artefact: Subject
    data: Data
    resamples: int
    seed: int
    papers: int
    truncated: int = Field(description="papers of which the artefact could not read the end")
    headline: dict[str, Figure]
    labels: list[LabelFigures]
    slices: dict[str, list[Slice]] = Field(description="by the property that groups the papers")
    statuses: list[Status]
    confusion: Confusion
    mistakes: int = Field(description="wrong labels, too many or too few, over all papers")
    comparison: Comparison | None = None
