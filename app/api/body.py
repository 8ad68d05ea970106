"""From the bytes of a body to checked papers. Knows JSON and its traps; knows no HTTP and no model.

Everything wrong is told by place (a JSON pointer) and rule, never by quoting what was sent.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from app.api.schemas import BatchIn, PaperIn
from app.errors import Fault, InvalidRequest, NotJson

Shape = TypeVar("Shape", bound=BaseModel)

# Unknown names are shown in pointers if they look like names; anything else may be somebody's text.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
_MOST_FAULTS = 20
# An object of ours has three fields at most; one with a hundred thousand is refused without looking at each.
_MOST_FIELDS = 50

# pydantic's wording speaks of types and parsing; callers are told what to send.
_DETAILS: dict[str, str] = {
    "extra_forbidden": "unknown field; expected title, abstract or id",
    "string_type": "expected a string",
    "string_unicode": "the text holds half of a surrogate pair, which is no character",
    "string_pattern_mismatch": "the text holds the NUL character",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "list_type": "expected an array",
    "missing": "required",
}


class Limits(NamedTuple):
    """The lengths that are settings; papers in a batch, characters in a text."""

    papers: int
    title: int
    abstract: int


class Reading(NamedTuple):
    """One paper of a batch: read, or the reason why not; the id is None unless usable."""

    id: str | None
    paper: PaperIn | InvalidRequest


def parse(body: bytes) -> JsonValue:
    """The document in `body`; raises NotJson.

    Stricter than RFC 8259 where it leaves room: UTF-8 only, no duplicate names (programs differ
    in which one they take), no NaN or Infinity. Depth bombs end in NotJson too.
    """
    try:
        document: JsonValue = json.loads(body.decode(), object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise NotJson("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is no JSON: it breaks off or goes wrong at character {error.pos}.") from None
    except ValueError:
        raise NotJson("The body holds a number that is too long to read.") from None
    except RecursionError:
        raise NotJson("The body is nested too deeply to read.") from None
    return document


def read_paper(document: JsonValue, limits: Limits, at: str = "#") -> PaperIn:
    """The paper in `document`, which stands at pointer `at`; raises InvalidRequest."""
    paper = _shaped(PaperIn, document, at)
    _require_length(paper.title, limits.title, f"{at}/title")
    _require_length(paper.abstract, limits.abstract, f"{at}/abstract")
    if not paper.title.strip() and not paper.abstract.strip():
        raise no_text(at)
    return paper


def read_batch(document: JsonValue, limits: Limits) -> list[Reading]:
    """All papers of a batch, each good or bad by itself; raises InvalidRequest for the envelope."""
    papers = _shaped(BatchIn, document, "#", "unknown field; expected papers").papers
    if len(papers) > limits.papers:
        _too_many("papers", "#/papers", limits.papers, len(papers))
    return [_read_one(paper, limits, f"#/papers/{i}") for i, paper in enumerate(papers)]


def no_text(at: str) -> InvalidRequest:
    """The refusal of a paper without any text."""
    faults = [Fault(at, "expected a title or an abstract")]
    return InvalidRequest("The paper has neither a title nor an abstract; give at least one of them.", faults=faults)


def _read_one(document: JsonValue, limits: Limits, at: str) -> Reading:
    try:
        paper = read_paper(document, limits, at)
    except InvalidRequest as refusal:
        return Reading(_usable_id(document), refusal)
    return Reading(paper.given_id, paper)


def _usable_id(document: JsonValue) -> str | None:
    given = {"id": document["id"]} if isinstance(document, dict) and "id" in document else {}
    try:
        return PaperIn.model_validate(given).given_id
    except ValidationError:
        return None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("An object of the body has the same name twice.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"The body holds {name}, which is no JSON number.")


def _shaped(shape: type[Shape], document: JsonValue, at: str, unknown: str = _DETAILS["extra_forbidden"]) -> Shape:
    if isinstance(document, dict) and len(document) > _MOST_FIELDS:
        _too_many("fields", at, _MOST_FIELDS, len(document))
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    details = {**_DETAILS, "extra_forbidden": unknown}
    faults = [
        Fault(_pointer(at, fault["loc"]), details.get(fault["type"], fault["msg"])) for fault in found[:_MOST_FAULTS]
    ]
    raise InvalidRequest(f"{faults[0].pointer}: {faults[0].detail}.", faults=faults)


def _pointer(at: str, location: Sequence[int | str]) -> str:
    parts = [str(part) for part in location]
    while parts and not (parts[-1].isdecimal() or _NAME.fullmatch(parts[-1])):
        parts.pop()
    return "/".join([at, *parts])


def _require_length(text: str, limit: int, at: str) -> None:
    if len(text) > limit:
        _too_many("characters", at, limit, len(text))


def _too_many(what: str, at: str, limit: int, actual: int) -> NoReturn:
    detail = f"{actual} {what}, expected at most {limit}"
    raise InvalidRequest(f"{at}: {detail}.", faults=[Fault(at, detail)], limit=limit, actual=actual)
