"""What is sent and what comes back. Knows the shapes only; a test holds them against the OpenAPI document.

Fields that a later service adds are ignored, so that an older client goes on working.
"""

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Paper(NamedTuple):
    """A title, an abstract, or both; the id comes back with the answer."""

    title: str = ""
    abstract: str = ""
    id: str | None = None


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Input(_Shape):
    """What the model saw of the text, in word pieces."""

    tokens: int
    tokens_used: int
    truncated: bool
    abstract: bool


class Model(_Shape):
    """Which artefact answered."""

    name: str
    version: str
    sha256: str


class Result(_Shape):
    """The answer for one paper; `labels` are those that reach their threshold, most probable first.

    `status` is "ok"; "uncertain" if a person should look; "out_of_scope" if the text is not of the
    kind the model was trained on, so that its scores mean little. Expect words that are not among these.
    """

    id: str | None = None
    probabilities: dict[str, float]
    labels: list[str]
    status: str
    input: Input
    model: Model


class Sentence(_Shape):
    """What one sentence says of a label; in long texts several sentences in a row.

    `start` and `end` are offsets into the field in characters of Python, so `sentence.of(paper)`
    is its text. `weight` is what the label's log-odds lose without it: above 0 it speaks for the
    label, below 0 against it; None where no text would be left.
    """

    field: Literal["title", "abstract"]
    start: int
    end: int
    sentences: int
    weight: float | None = None

    def of(self, paper: Paper) -> str:
        """Its text, of the paper that was explained."""
        text = paper.title if self.field == "title" else paper.abstract
        return text[self.start : self.end]


class Evidence(_Shape):
    """What the sentences of title and abstract, in order, say of one label."""

    label: str
    sentences: list[Sentence]


class Explanation(Result):
    """The answer for one paper, and the evidence for each label given, or for the most probable one."""

    evidence: list[Evidence]
    merged: bool


class Fault(_Shape):
    """One wrong place in what was sent."""

    pointer: str
    detail: str


class Problem(_Shape):
    """What went wrong (RFC 9457); `code` is for programs, `detail` for people."""

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
    """What takes the place of an answer for one paper of many."""

    id: str | None = None
    error: Problem


Answer = Result | Failure


class LabelCard(_Shape):
    """One label, and how well it is found on the validation papers."""

    id: str
    name: str
    threshold: float
    title_threshold: float | None = None
    support: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    f1_interval: list[float] | None = Field(default=None, min_length=2, max_length=2)
    average_precision: float | None = None
    calibration_error: float | None = None


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
    quality: dict[str, Any]
    quantization: dict[str, Any]
    base_encoder: str
    provenance: dict[str, Any]
    limits: list[str]


class Reload(_Shape):
    """What a reload came to, and which artefact answers now."""

    outcome: Literal["switched", "unchanged", "accepted"]
    model: Model
