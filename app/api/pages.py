"""HTML pages: the start page, the model card, the documentation, one page per problem type.

All are static files of this package or of the bundled Swagger UI. There are no external resources and no inline
scripts, so the pages work without Internet access and under a strict Content-Security-Policy. References are
relative, so they work below any path prefix of a proxy.
"""

import html
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse

from app.api.card import matches
from app.api.errors import NotFound, explanation

_WEB = Path(__file__).parents[1] / "web"
_SWAGGER_UI = Path(str(files("fastapi_swagger"))) / "resources"
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_SWAGGER_UI_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets style attributes.
_SWAGGER_UI_CSP = _CSP.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Paper subjects: API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """const root = new URL("..", document.currentScript.src).href;
fetch(`${root}openapi.json`).then((answer) => answer.json()).then((document) => SwaggerUIBundle({
  spec: { ...document, servers: [{ url: root.replace(/[/]$/, "") }] },
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
}));
"""
_PROBLEM_TYPE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../web/icon.svg">
<link rel="stylesheet" href="../web/style.css">
</head>
<body>
<header class="masthead"><a class="name" href="../">Paper subjects</a></header>
<main class="reading">
<h1>{title}</h1>
<p class="lede"><code>{code}</code>, HTTP {status}</p>
<p>{meaning}</p>
<p>{remedy}</p>
<p><a href="../docs">All paths and their responses</a></p>
</main>
</body>
</html>
"""

router = APIRouter(include_in_schema=False)


async def add_slash(request: Request) -> RedirectResponse:
    """Below a path prefix, the start page without its last slash, from which relative references would not resolve."""
    return RedirectResponse(f"{request.scope['root_path']}/")


@router.get("/")
async def index(request: Request) -> Response:
    """The start page, on which papers can be classified."""
    return _page("index.html", request)


@router.get("/card")
async def card(request: Request) -> Response:
    """The model card as a page."""
    return _page("card.html", request)


@router.get("/web/{name}")
async def web_file(name: str, request: Request) -> Response:
    """A script, a style sheet or a picture of the pages."""
    if name not in _web_files():
        raise NotFound("The page has no such file.")
    return _file(_WEB / name, request, {"Cache-Control": "no-cache"}, _MEDIA_TYPES[Path(name).suffix])


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Swagger UI: the API to read and to try."""
    return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _SWAGGER_UI_CSP})


@router.get("/docs/start.js")
async def start() -> Response:
    """Starts Swagger UI; a file of its own, since the policy forbids scripts in a page."""
    return Response(_START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/docs/{name}")
async def swagger_ui_file(name: str, request: Request) -> Response:
    """A file of the Swagger UI package."""
    if name not in _SWAGGER_UI_FILES:
        raise NotFound("The documentation has no such file.")
    return _file(_SWAGGER_UI / name, request, {"Cache-Control": "max-age=86400"})


@router.get("/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document; built in a thread, since the first time takes some 70 ms."""
    return JSONResponse(request.app.openapi())


@router.get("/problems/{code}")
async def problem_type(code: str, request: Request) -> Response:
    """What a problem type means and what to do about it; a page for browsers, JSON for programs."""
    texts = explanation(code)
    if texts is None:
        raise NotFound("There is no such problem type.")
    if "text/html" in request.headers.get("accept", ""):
        page = _PROBLEM_TYPE.format_map({name: html.escape(text) for name, text in texts.items()})
        return HTMLResponse(page, headers={"Content-Security-Policy": _CSP})
    return JSONResponse(texts)


def _page(name: str, request: Request) -> Response:
    headers = {"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"}
    return _file(_WEB / name, request, headers, "text/html")


def _file(path: Path, request: Request, headers: dict[str, str], media_type: str | None = None) -> Response:
    """The file, or 304 if the client's copy is the same; FileResponse sets an ETag, but does not compare it."""
    response = FileResponse(path, headers=headers, media_type=media_type, stat_result=path.stat())
    etag = response.headers["etag"]
    if matches(request.headers.get("if-none-match", ""), etag):
        # With all headers: a browser replaces those that it has stored, the Content-Security-Policy included.
        return Response(status_code=304, headers={**headers, "ETag": etag})
    return response


def _web_files() -> frozenset[str]:
    # Listed rather than looked up by the requested name: opening a name of 400 characters raises OSError.
    return frozenset(path.name for path in _WEB.iterdir() if path.suffix in _MEDIA_TYPES)
