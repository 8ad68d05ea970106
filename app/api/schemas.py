"""Bodies of requests and responses, with examples; the only place of HTTP shapes.

Knows nothing of limits that are settings: lengths are checked where a body is read.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from model_store.labels import Status

# NUL ends a string for C programs and databases downstream; nobody means it in a title.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
PaperId = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=128)]
Absent = SkipJsonSchema[None]

PAPER_EXAMPLE: dict[str, JsonValue] = {
    "id": "shelf-7/12",
    "title": "A compiler for quantum circuits on noisy hardware",
    "abstract": "We describe a compiler that arranges gates so that fewer of them meet a noisy link.",
}
MODEL_EXAMPLE: dict[str, JsonValue] = {"name": "arxiv-subjects", "version": "1.0.0", "sha256": "5d" * 32}
RESULT_EXAMPLE: dict[str, JsonValue] = {
    "id": "shelf-7/12",
    "probabilities": {"Computer Science": 0.871, "Physics": 0.764, "Mathematics": 0.012},
    "labels": ["Computer Science", "Physics"],
    "status": "ok",
    "input": {"tokens": 25, "tokens_used": 25, "truncated": False, "abstract": True},
}
EVIDENCE_EXAMPLE: dict[str, JsonValue] = {
    "evidence": [
        {
            "label": "Physics",
            "sentences": [
                {"field": "title", "start": 0, "end": 49, "sentences": 1, "weight": 1.93},
                {"field": "abstract", "start": 0, "end": 84, "sentences": 1, "weight": -0.21},
            ],
        }
    ],
    "merged": False,
}
PROBLEM_EXAMPLE: dict[str, JsonValue] = {
    "type": "/problems/invalid_request",
    "title": "The JSON has the wrong shape",
    "status": 422,
    "detail": "The paper has neither a title nor an abstract; give at least one of them.",
    "instance": "0b6f7a52c9d1461f8a3a6a7a0a4b6a55",
    "code": "invalid_request",
    "errors": [{"pointer": "#", "detail": "expected a title or an abstract"}],
}


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PaperIn(_Request):
    """A paper: a title, an abstract, or both."""

    model_config = ConfigDict(json_schema_extra={"example": PAPER_EXAMPLE})

    title: Text = Field(default="", description="may be left out if there is an abstract")
    abstract: Text = Field(default="", description="may be left out or empty")
    id: PaperId = Field(default="", description="comes back with the answer, is not interpreted")

    @property
    def given_id(self) -> str | None:
        """The id if there was one; an empty one is one."""
        return self.id if "id" in self.model_fields_set else None


class BatchIn(_Request):
    """Several papers; each is checked by itself, so that an invalid one hurts no other."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"papers": [PAPER_EXAMPLE, {"title": "On primes in short intervals"}]}}
    )

    papers: list[Any] = Field(min_length=1)


class InputOut(_Response):
    """What the model saw of the text, in word pieces; nothing is ever cut silently."""

    tokens: int = Field(ge=0, description="word pieces of the text")
    tokens_used: int = Field(ge=0, description="those the model saw")
    truncated: bool
    abstract: bool = Field(description="whether there was an abstract")


class ModelOut(_Response):
    """Which artefact answered."""

    name: str
    version: str
    sha256: str = Field(description="of the manifest, which holds the checksums of all files")


class ResultOut(_Response):
    """The answer for one paper."""

    id: str | Absent = Field(default=None, description="as sent")
    probabilities: dict[str, float] = Field(description="every label, in the artefact's order; they need not sum to 1")
    labels: list[str] = Field(description="those at or above their own threshold, most probable first")
    status: Status = Field(
        description="`uncertain` when the artefact's rule says that a person should look; `out_of_scope` when the text "
        "is not like anything the model was trained on: labels and probabilities are given all the same, for the few "
        "papers this is wrong about, and are not to be relied on"
    )
    input: InputOut


class ClassifyOut(ResultOut):
    """The answer for a single paper."""

    model_config = ConfigDict(json_schema_extra={"example": {**RESULT_EXAMPLE, "model": MODEL_EXAMPLE}})

    model: ModelOut


class SentenceOut(_Response):
    """What one sentence says of a label; several sentences in a row in a long text."""

    field: Literal["title", "abstract"]
    start: int = Field(ge=0, description="offset into the field as submitted, in Unicode code points")
    end: int = Field(ge=0, description="the same, exclusive; white space behind the sentence is included")
    sentences: int = Field(ge=1, description="how many sentences these are; more than 1 in long texts only")
    weight: float | Absent = Field(
        default=None,
        description="by how much the label's log-odds fall when the sentence is left out: above 0 it speaks for the "
        "label, below 0 against it. Absent where no text would be left",
    )


class EvidenceOut(_Response):
    """The sentences of title and abstract in order, and what they say of one label."""

    label: str
    sentences: list[SentenceOut]


class ExplainOut(ClassifyOut):
    """The classification as from `/classify`, and its evidence."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**RESULT_EXAMPLE, **EVIDENCE_EXAMPLE, "model": MODEL_EXAMPLE}}
    )

    evidence: list[EvidenceOut] = Field(description="one per label given; the most probable label if none is given")
    merged: bool = Field(description="whether the text is so long that later sentences were taken together")


class FaultOut(_Response):
    """One wrong place in the body."""

    pointer: str = Field(description="JSON pointer as URI fragment (RFC 6901)")
    detail: str


class Problem(_Response):
    """What went wrong (RFC 9457); `type` is a page that explains it."""

    model_config = ConfigDict(json_schema_extra={"example": PROBLEM_EXAMPLE})

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="the request id")
    code: str = Field(description="a short word for programs")
    errors: list[FaultOut] | Absent = None
    limit: int | Absent = None
    actual: int | Absent = None
    retry_after_seconds: int | Absent = None


class FailureOut(_Response):
    """In a batch, what takes the place of an answer."""

    id: str | Absent = Field(default=None, description="as sent, if it was usable")
    error: Problem


class BatchOut(_Response):
    """One result for each paper, in the order sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"results": [RESULT_EXAMPLE, {"error": PROBLEM_EXAMPLE}], "model": MODEL_EXAMPLE},
        }
    )

    results: list[ResultOut | FailureOut]
    model: ModelOut


class LabelCard(_Response):
    """One label, and how well it is found on the validation papers; intervals are 95 %."""

    id: str
    name: str
    threshold: float
    title_threshold: float | Absent = Field(
        default=None, description="the threshold where there is no abstract, if it is another"
    )
    support: int | Absent = Field(default=None, description="validation papers that carry it")
    precision: float | Absent = None
    recall: float | Absent = None
    f1: float | Absent = None
    f1_interval: list[float] | Absent = Field(default=None, min_length=2, max_length=2)
    average_precision: float | Absent = None
    calibration_error: float | Absent = Field(default=None, description="expected calibration error, held out")


class CardOut(_Response):
    """The model card; objects without a fixed shape are the manifest's own, word for word."""

    name: str
    version: str
    sha256: str
    created: str
    licence: str
    labels: list[LabelCard]
    calibration: dict[str, JsonValue] = Field(description="the method, its parameters, and what others would have done")
    aim: dict[str, JsonValue] = Field(description="what the thresholds were chosen for")
    scope: dict[str, JsonValue] | Absent = Field(
        default=None, description="when a text is out of scope, and how well such texts are told; absent: never"
    )
    uncertain: dict[str, JsonValue] = Field(description="the rule, and what it meant on the validation papers")
    input: dict[str, JsonValue]
    quality: dict[str, JsonValue]
    quantization: dict[str, JsonValue] = Field(description="what was done to the weights, and its cost against fp32")
    base_encoder: str
    provenance: dict[str, JsonValue]
    limits: list[str]


class HealthOut(_Response):
    """A service in good health."""

    status: Literal["live", "ready"]


class ReloadOut(_Response):
    """What a reload came to."""

    outcome: Literal["switched", "unchanged"]
    model: ModelOut
