"""Papers, results and cards of the API; a test compares them with the OpenAPI document.

Fields that a later version of the service adds are ignored, so that an older client keeps working.
"""

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Paper(NamedTuple):
    """A title, an abstract, or both; the id is returned with the answer."""

    title: str = ""
    abstract: str = ""
    id: str | None = None


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Input(_Shape):
    """How much of the text the model read, in word pieces."""

    tokens: int
    tokens_used: int
    truncated: bool
    abstract: bool
    unknown: int = 0
    changes: list[str] = []
    withdrawn: bool = False
    layer: int | None = None


class Model(_Shape):
    """The artefact that answered."""

    name: str
    version: str
    sha256: str


class Result(_Shape):
    """The result for one paper; `labels` are those that meet their threshold, most probable first.

    `status` is "ok", "uncertain" if a person should check the result, or "out_of_scope" if the text is unlike the
    papers the model was trained on. A later version of the service may send others.
    """

    id: str | None = None
    probabilities: dict[str, float]
    labels: list[str]
    status: str
    input: Input
    model: Model


class Sentence(_Shape):
    """How much one sentence, or in long texts a run of sentences, contributes to a label.

    `start` and `end` are offsets into the field in code points, as in Python strings. `weight` is how far the label's
    log-odds fall without the sentence: positive if it supports the label, None if no text would be left.
    """

    field: Literal["title", "abstract"]
    start: int
    end: int
    sentences: int
    weight: float | None = None

    def of(self, paper: Paper) -> str:
        """The text of the sentence in the paper that was explained."""
        text = paper.title if self.field == "title" else paper.abstract
        return text[self.start : self.end]


class Evidence(_Shape):
    """The contributions to one label, of the sentences of title and abstract in order."""

    label: str
    sentences: list[Sentence]


class Explanation(Result):
    """The result for one paper, with evidence for each assigned label; without any, for the most probable label."""

    evidence: list[Evidence]
    merged: bool


class Fault(_Shape):
    """One invalid part of the request."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(_Shape):
    """A problem document (RFC 9457); `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[Fault] | None = None
    limit: int | None = None
    actual: int | None = None
    retry_after_seconds: int | None = None


class Failure(_Shape):
    """Takes the place of a Result for a paper that could not be classified."""

    id: str | None = None
    error: Problem


Answer = Result | Failure


class LabelQuality(_Shape):
    """Quality figures of one label."""

    support: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    f1_interval: list[float] | None = Field(default=None, min_length=2, max_length=2)
    average_precision: float | None = None
    calibration_error: float | None = None


class LabelCard(LabelQuality):
    """One label, and its quality on the validation papers and, in `test`, on test papers."""

    id: str
    name: str
    title: str | None = None
    parent: str | None = None
    uri: str | None = None
    few_papers: bool = False
    threshold: float
    title_threshold: float | None = None
    test: LabelQuality | None = None


class Exit(_Shape):
    """An early exit: its layer, and which papers exit there."""

    layer: int
    margin: float
    title_margin: float | None = None
    share: float
    micro_f1: float | None = None


class Card(_Shape):
    """The model card."""

    name: str
    version: str
    sha256: str
    created: str
    licence: str
    labels: list[LabelCard]
    calibration: dict[str, Any]
    aim: dict[str, Any]
    scope: dict[str, Any] | None = None
    uncertain: dict[str, Any]
    input: dict[str, Any]
    quality: dict[str, Any] | None = None
    test: dict[str, Any] | None = None
    exits: list[Exit] = []
    quantization: dict[str, Any]
    base_encoder: str
    provenance: dict[str, Any]
    limits: list[str]


class Reload(_Shape):
    """The outcome of a reload, and the artefact that answers now."""

    outcome: Literal["switched", "unchanged", "accepted"]
    model: Model
