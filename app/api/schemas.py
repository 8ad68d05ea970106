"""Request and response bodies, with examples.

Limits that are settings are checked in `app.api.dependencies`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from model_store.labels import Status
from model_store.text import Change

# NUL terminates a string in C programs and is refused by some databases downstream.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
PaperId = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=128)]
# Left out of responses when there is no value, so the schema does not mention null.
Absent = SkipJsonSchema[None]
# A paper has three fields. An object with 100,000 unknown ones is refused without an error for each of them.
_MAX_FIELDS = 50

PAPER_EXAMPLE: dict[str, JsonValue] = {
    "id": "shelf-7/12",
    "title": "A compiler for quantum circuits on noisy hardware",
    "abstract": "We describe a compiler that arranges gates so that fewer of them meet a noisy link.",
}
TITLE_EXAMPLE: dict[str, JsonValue] = {"title": "On primes in short intervals"}
MODEL_EXAMPLE: dict[str, JsonValue] = {"name": "arxiv-subjects", "version": "1.0.0", "sha256": "5d" * 32}
RESULT_EXAMPLE: dict[str, JsonValue] = {
    "id": "shelf-7/12",
    "probabilities": {"Computer Science": 0.871, "Physics": 0.764, "Mathematics": 0.012},
    "labels": ["Computer Science", "Physics"],
    "status": "ok",
    "input": {
        "tokens": 25, "tokens_used": 25, "truncated": False, "abstract": True,
        "unknown": 0, "changes": [], "withdrawn": False,
    },
}  # fmt: skip
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
    "title": "The request is invalid",
    "status": 422,
    "detail": "The paper has neither a title nor an abstract; give at least one of them.",
    "instance": "0b6f7a52c9d1461f8a3a6a7a0a4b6a55",
    "code": "invalid_request",
    "errors": [{"pointer": "#", "detail": "expected a title or an abstract"}],
}


def _nullable(schema: dict[str, Any]) -> None:
    """Rewrite the JSON schema of `Text | None` as OpenAPI 3.0 has it: `nullable` instead of a type "null"."""
    text, _ = schema.pop("anyOf")
    schema.update({**text, "nullable": True})
    del schema["default"]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, document: Any) -> Any:
        if isinstance(document, dict) and len(document) > _MAX_FIELDS:
            sizes = {"limit": _MAX_FIELDS, "actual": len(document)}
            raise PydanticCustomError("too_many_fields", "{actual} fields, expected at most {limit}", sizes)
        return document


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PaperIn(_Request):
    """A paper: a title, an abstract, or both; null means the same as leaving a field out."""

    model_config = ConfigDict(json_schema_extra={"example": PAPER_EXAMPLE})

    title: Text | None = Field(
        default=None, description="may be left out if there is an abstract", json_schema_extra=_nullable
    )
    abstract: Text | None = Field(default=None, description="may be left out or empty", json_schema_extra=_nullable)
    id: PaperId | None = Field(
        default=None, description="returned with the result, not interpreted", json_schema_extra=_nullable
    )


class BatchIn(_Request):
    """Several papers; each is validated by itself, so that an invalid paper does not affect the others."""

    model_config = ConfigDict(json_schema_extra={"example": {"papers": [PAPER_EXAMPLE, TITLE_EXAMPLE]}})

    # Documented as PaperIn, but validated one by one after their number has been checked.
    papers: list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/PaperIn"})]] = Field(min_length=1)


class InputOut(_Response):
    """How much of the text the model read, in word pieces, and what was changed before."""

    tokens: int = Field(ge=0, description="word pieces of the text")
    tokens_used: int = Field(ge=0, description="word pieces that the model read")
    truncated: bool
    abstract: bool = Field(description="whether the model read an abstract")
    unknown: int = Field(default=0, ge=0, description="word pieces that the model's vocabulary does not have")
    changes: list[Change] = Field(
        default=[],
        description="what the text preparation dropped or replaced: `markup`, unusual `characters`, a `heading` such "
        'as "Abstract", `hyphenation` at line ends, or a `placeholder` in the place of a text',
    )
    withdrawn: bool = Field(default=False, description="whether the paper contains a notice of its withdrawal")
    layer: int | Absent = Field(
        default=None, description="the encoder layer at which the paper exited, if the artefact has early exits"
    )


class ModelOut(_Response):
    """The artefact that gave the answer."""

    name: str
    version: str
    sha256: str = Field(description="of the manifest, which holds the checksums of all files")


class ResultOut(_Response):
    """The result for one paper."""

    id: str | Absent = Field(default=None, description="as sent")
    probabilities: dict[str, float] = Field(
        description="every label, in the artefact's order, or what `top` selects; the probabilities are independent "
        "and need not sum to 1"
    )
    labels: list[str] = Field(description="the labels that meet their threshold, most probable first")
    status: Status = Field(
        description="`uncertain` when the artefact's rule says that a person should check the result; `out_of_scope` "
        "when the text is unlike anything the model was trained on. Labels and probabilities are given in any case, "
        "but are not reliable when the text is out of scope"
    )
    input: InputOut


class ClassifyOut(ResultOut):
    """The result for a single paper."""

    model_config = ConfigDict(json_schema_extra={"example": {**RESULT_EXAMPLE, "model": MODEL_EXAMPLE}})

    model: ModelOut


class SentenceOut(_Response):
    """How much one sentence, or in long texts a run of sentences, contributes to a label."""

    field: Literal["title", "abstract"]
    start: int = Field(ge=0, description="offset into the field as submitted, in Unicode code points")
    end: int = Field(ge=0, description="end offset, exclusive; includes the white space after the sentence")
    sentences: int = Field(ge=1, description="number of sentences; more than 1 only in long texts")
    weight: float | Absent = Field(
        default=None,
        description="decrease of the label's log-odds when the sentence is left out: positive if it speaks for the "
        "label, negative if against it. Absent where no text would be left",
    )


class EvidenceOut(_Response):
    """The sentences of title and abstract in order, with their weights for one label."""

    label: str
    sentences: list[SentenceOut]


class ExplainOut(ClassifyOut):
    """The result as from `/classify`, and the evidence for it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**RESULT_EXAMPLE, **EVIDENCE_EXAMPLE, "model": MODEL_EXAMPLE}}
    )

    evidence: list[EvidenceOut] = Field(
        description="one entry per label in `labels`; for the most probable label if there is none"
    )
    merged: bool = Field(description="whether the text is so long that later sentences were grouped")


class FaultOut(_Response):
    """One invalid part of the request."""

    pointer: str | Absent = Field(default=None, description="JSON pointer into the body, as URI fragment (RFC 6901)")
    parameter: str | Absent = Field(default=None, description="name of the query parameter")
    detail: str


class Problem(_Response):
    """An error (RFC 9457); `type` is the path of a page that explains it."""

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
    """In a batch, an error in the place of a result."""

    id: str | Absent = Field(default=None, description="as sent, if it was valid")
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


class HealthOut(_Response):
    """A healthy service."""

    status: Literal["live", "ready"]


class ReloadOut(_Response):
    """The outcome of a reload."""

    outcome: Literal["switched", "unchanged", "accepted"]
    model: ModelOut
