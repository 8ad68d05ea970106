"""The page people try the service on, and the model card to read: static files, served as they are.

Knows file names and the policy they work under; everything they show comes from the API.
"""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from app.errors import NotFound

_WEB = Path(__file__).parents[1] / "web"
# No script and no style within a page, nothing from elsewhere, and no form is ever sent.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """Where a person tries it."""
    return _page("index.html")


@router.get("/card")
async def card() -> FileResponse:
    """The model card, to read."""
    return _page("card.html")


@router.get("/web/{asset}")
async def asset(request: Request) -> FileResponse:
    """A script, a style or a picture of the pages."""
    name = Path(request.path_params["asset"])
    found = _WEB / name.name
    if name.suffix not in _TYPES or not found.is_file():
        raise NotFound("There is no such file; the page is at /.")
    return FileResponse(found, media_type=_TYPES[name.suffix], headers={"Cache-Control": "no-cache"})


def _page(name: str) -> FileResponse:
    headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"}
    return FileResponse(_WEB / name, media_type="text/html", headers=headers)
