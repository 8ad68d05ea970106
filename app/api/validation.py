"""Validated papers, and InvalidRequest errors, which locate the invalid fields without quoting their content."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.api.errors import InvalidRequest
from app.api.schemas import FaultOut
from model_store.papers import Paper

# Unknown field names are shown in pointers only if they look like names; anything else may be part of a text.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
_MAX_ERRORS = 20
# pydantic's messages are about Python types; clients are told what to send.
_DETAILS: dict[str, str] = {
    "extra_forbidden": "unknown field",
    "string_type": "expected a string",
    "string_unicode": "the text contains a lone surrogate, which is not a character",
    "string_pattern_mismatch": "the text contains the NUL character",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "list_type": "expected an array",
    "missing": "required",
    "dict_type": "expected an object",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected an integer",
    "int_parsing": "expected an integer",
    "int_from_float": "expected an integer",
    "int_parsing_size": "expected a smaller integer",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "string_too_long": "expected at most {max_length} characters",
    "too_short": "{actual_length} elements, expected at least {min_length}",
    "too_long": "{actual_length} elements, expected at most {max_length}",
}


class Submitted(NamedTuple):
    """One valid paper of a request, and the id to return with its result."""

    id: str | None
    paper: Paper


class Refused(NamedTuple):
    """One invalid paper of a batch; the id is None unless it is valid itself."""

    id: str | None
    error: InvalidRequest


def invalid_request(errors: Sequence[Mapping[str, Any]], base: str = "#") -> InvalidRequest:
    """The error for pydantic's errors in a document at the JSON pointer `base`.

    Each error has `type`, `msg` and `loc`, the path within the document.
    """
    faults = [FaultOut(pointer=_pointer(base, error["loc"]), detail=_detail(error)) for error in errors[:_MAX_ERRORS]]
    sizes = errors[0].get("ctx", {}) if errors[0]["type"] == "too_many_fields" else {}
    return InvalidRequest(f"{faults[0].pointer}: {faults[0].detail}.", errors=faults, **sizes)


def invalid_parameter(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """The error for pydantic's errors in query parameters."""
    faults = [FaultOut(parameter=str(error["loc"][0]), detail=_detail(error)) for error in errors[:_MAX_ERRORS]]
    return InvalidRequest(f"{faults[0].parameter}: {faults[0].detail}.", errors=faults)


def too_large(pointer: str, unit: str, limit: int, actual: int) -> InvalidRequest:
    """The error for a text or an array that has more characters or elements than allowed."""
    detail = f"{actual} {unit}, expected at most {limit}"
    return InvalidRequest(
        f"{pointer}: {detail}.", errors=[FaultOut(pointer=pointer, detail=detail)], limit=limit, actual=actual
    )


def invalid_field(pointer: str, detail: str) -> InvalidRequest:
    """The error for one invalid field."""
    return InvalidRequest(f"{pointer}: {detail}.", errors=[FaultOut(pointer=pointer, detail=detail)])


def no_text(pointer: str) -> InvalidRequest:
    """The error for a paper without any text."""
    faults = [FaultOut(pointer=pointer, detail="expected a title or an abstract")]
    return InvalidRequest("The paper has neither a title nor an abstract; give at least one of them.", errors=faults)


def _detail(error: Mapping[str, Any]) -> str:
    template = _DETAILS.get(error["type"])
    return str(error["msg"]) if template is None else template.format_map(error.get("ctx", {}))


def _pointer(base: str, location: Sequence[int | str]) -> str:
    parts = list(location)
    while parts and isinstance(parts[-1], str) and not _NAME.fullmatch(parts[-1]):
        parts.pop()
    return "/".join([base, *map(str, parts)])
