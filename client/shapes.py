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
    """The answer for one paper; `labels` are those that reach their threshold, most probable first."""

    id: str | None = None
    probabilities: dict[str, float]
    labels: list[str]
    status: Literal["ok", "uncertain"]
    input: Input
    model: Model


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
    support: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    f1_interval: list[float] | None = Field(default=None, min_length=2, max_length=2)
    average_precision: float | None = None


class Card(_Shape):
    """The model card."""

    name: str
    version: str
    sha256: str
    created: str
    licence: str
    labels: list[LabelCard]
    calibration: str
    uncertain: dict[str, Any]
    input: dict[str, Any]
    quality: dict[str, Any]
    quantization: dict[str, Any]
    base_encoder: str
    provenance: dict[str, Any]
    limits: list[str]
