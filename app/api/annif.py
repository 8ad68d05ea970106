"""Annif's REST API, version 1, for clients of Annif (https://api.annif.org/v1/ui/).

The model in service is the only project; the project has the model's name. The first line of a text is read as the
title if it has at most 300 characters, the rest as the abstract. Subjects are labels: `uri` is the label's URI, or
`urn:paper-subjects:MODEL:ID` where it has none.
"""

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.dependencies import State, StateDep, WorkDep
from app.api.errors import InvalidRequest, NotFound, UnsupportedMediaType
from app.api.json_route import JsonRoute
from app.api.results import label_uri, predicted, shortest
from app.api.schemas import PaperId, Text
from app.api.validation import invalid_field, invalid_parameter, invalid_request, too_large
from app.inference.engine import Outcome, Prediction
from model_store.errors import PaperError
from model_store.manifest import Manifest
from model_store.papers import Paper

MAX_DOCUMENTS = 32
_FORM = "application/x-www-form-urlencoded"
_MAX_FORM_FIELDS = 20
_MAX_TITLE_CHARS = 300

router = APIRouter(include_in_schema=False, route_class=JsonRoute)


class Options(BaseModel):
    """Parameters that select suggestions; `metadata`, which Annif accepts as well, is ignored."""

    limit: int = Field(default=10, ge=0, le=10_000)
    threshold: float = Field(default=0.0, ge=0.0, le=1.0, allow_inf_nan=False)
    # In Annif, an empty value stands for the language of the project.
    language: Literal["en", ""] = "en"


class SuggestForm(Options):
    """The form of one text."""

    text: Text


class DocumentIn(BaseModel):
    """One text of a batch."""

    model_config = ConfigDict(strict=True)

    text: Text
    document_id: PaperId | None = None


class BatchIn(BaseModel):
    """Several texts; validated one by one after their number has been checked."""

    documents: list[Any] = Field(min_length=1, max_length=MAX_DOCUMENTS)


class Suggestion(BaseModel):
    """One subject."""

    uri: str
    label: str
    notation: str | None
    score: float


class Suggestions(BaseModel):
    """The subjects of one text, most probable first."""

    results: list[Suggestion]


class DocumentSuggestions(Suggestions):
    """The subjects of one text of a batch."""

    document_id: str | None


async def suggest_form(request: Request) -> SuggestForm:
    """The form in the body; raises UnsupportedMediaType or InvalidRequest."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType(f"The body is not declared as a form; expected Content-Type: {_FORM}.")
    try:
        # In a thread: decoding a megabyte of %-escapes would keep the event loop busy.
        fields = await asyncio.to_thread(_parse_form, await request.body())
        return SuggestForm.model_validate(fields)
    except ValidationError as error:
        raise invalid_parameter(error.errors(include_url=False, include_input=False)) from None
    except ValueError:
        raise InvalidRequest(f"The body is not a form in UTF-8 with at most {_MAX_FORM_FIELDS} fields.") from None


async def project(project_id: str, state: StateDep) -> Manifest:
    """The manifest of the project; raises NotFound."""
    manifest = state["engine"].current.manifest
    if project_id != manifest.name:
        raise NotFound("There is no such project; /v1/projects lists the only one.")
    return manifest


ProjectDep = Annotated[Manifest, Depends(project)]


@router.get("/v1")
@router.get("/v1/")
async def api_info() -> dict[str, str]:
    """Title and version of the API that this follows."""
    return {"title": "Annif REST API", "version": "1.4.0"}


@router.get("/v1/projects")
async def projects(state: StateDep) -> dict[str, list[dict[str, object]]]:
    """All projects; there is always exactly one."""
    return {"projects": [_project(state["engine"].current.manifest)]}


@router.get("/v1/projects/{project_id}")
async def one_project(manifest: ProjectDep) -> dict[str, object]:
    """The project."""
    return _project(manifest)


@router.post("/v1/projects/{project_id}/suggest")
async def suggest(
    manifest: ProjectDep, form: Annotated[SuggestForm, Depends(suggest_form)], state: StateDep, work: WorkDep
) -> Suggestions:
    """The subjects of one text."""
    answer = await work.classify([_paper(form.text, state, "#")])
    return Suggestions(results=_suggestions(_prediction(answer.outcomes[0], "#"), answer.manifest, form))


@router.post("/v1/projects/{project_id}/suggest-batch")
async def suggest_batch(
    manifest: ProjectDep, batch: BatchIn, options: Annotated[Options, Query()], state: StateDep, work: WorkDep
) -> list[DocumentSuggestions]:
    """The subjects of several texts; as in Annif, one invalid text fails the whole request."""
    documents = [_document(document, f"#/documents/{i}") for i, document in enumerate(batch.documents)]
    papers = [_paper(document.text, state, f"#/documents/{i}") for i, document in enumerate(documents)]
    answer = await work.classify(papers)
    predictions = [_prediction(outcome, f"#/documents/{i}") for i, outcome in enumerate(answer.outcomes)]
    return [
        DocumentSuggestions(
            document_id=document.document_id, results=_suggestions(prediction, answer.manifest, options)
        )
        for document, prediction in zip(documents, predictions, strict=True)
    ]


def _parse_form(body: bytes) -> dict[str, str]:
    fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS)
    return {name: values[-1] for name, values in fields.items()}


def _document(document: Any, pointer: str) -> DocumentIn:
    try:
        return DocumentIn.model_validate(document)
    except ValidationError as error:
        raise invalid_request(error.errors(include_url=False, include_input=False), pointer) from None


def _paper(text: str, state: State, pointer: str) -> Paper:
    limit = state["settings"].max_abstract_chars
    if len(text) > limit:
        raise too_large(f"{pointer}/text", "characters", limit, len(text))
    title, _, abstract = text.strip().partition("\n")
    return Paper(title, abstract) if len(title) <= _MAX_TITLE_CHARS else Paper("", text)


def _prediction(outcome: Outcome, pointer: str) -> Prediction:
    if isinstance(outcome, PaperError):
        raise invalid_field(f"{pointer}/text", "expected at least one word")
    return predicted(outcome, pointer)


def _project(manifest: Manifest) -> dict[str, object]:
    return {
        "project_id": manifest.name,
        "name": f"{manifest.name} {manifest.version}",
        "language": "en",
        "backend": {"backend_id": "paper-subjects"},
        "is_trained": True,
        "modification_time": manifest.created,
    }


def _suggestions(prediction: Prediction, manifest: Manifest, options: Options) -> list[Suggestion]:
    scores = prediction.scored.output.scores
    ranking = [i for i in np.argsort(-scores, kind="stable").tolist() if scores[i] >= options.threshold]
    labels = [manifest.labels[i] for i in ranking[: options.limit]]
    return [
        Suggestion(
            uri=label_uri(label, manifest),
            label=label.title or label.name,
            notation=label.name if label.title else None,
            score=shortest(scores[i]),
        )
        for i, label in zip(ranking, labels, strict=False)
    ]
