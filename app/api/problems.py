"""Problem documents (RFC 9457): from an error to a body, a response and a page that explains the type."""

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from app.api.schemas import FaultOut, Problem
from app.errors import KINDS, BodyError, Kind, ServiceError

PROBLEM_JSON = "application/problem+json"


def kind_of(error: ServiceError) -> Kind:
    """The row of the table; a class without a row of its own takes its parent's."""
    return next(KINDS[base] for base in type(error).__mro__ if base in KINDS)


def problem(error: ServiceError, instance: str) -> Problem:
    """The document for one error; `instance` is the request id."""
    kind = kind_of(error)
    faults = error.faults if isinstance(error, BodyError) else ()
    return Problem(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        instance=instance,
        code=kind.code,
        errors=[FaultOut(pointer=fault.pointer, detail=fault.detail) for fault in faults] or None,
        limit=error.limit,
        actual=error.actual,
        retry_after_seconds=error.retry_after_s,
    )


def response(error: ServiceError, instance: str, headers: dict[str, str] | None = None) -> Response:
    """The answer for one error; `headers` are added, Retry-After goes along where the error knows it."""
    document = problem(error, instance)
    sent = dict(headers or {})
    if error.retry_after_s is not None:
        sent["Retry-After"] = str(error.retry_after_s)
    return JSONResponse(document.model_dump(exclude_none=True), document.status, headers=sent, media_type=PROBLEM_JSON)


def explanation(code: str) -> dict[str, str | int] | None:
    """What a problem type means and what to do, None for an unknown code."""
    for error, kind in KINDS.items():
        if kind.code == code:
            meaning = (error.__doc__ or "").strip()
            phrase = f"{kind.status} {HTTPStatus(kind.status).phrase}"
            return {"code": code, "status": phrase, "title": kind.title, "meaning": meaning, "remedy": kind.remedy}
    return None
