"""Pages about the service: Swagger UI from the bundled package, and one page per problem type.

No file comes from elsewhere and no script stands in a page, so both work on a closed network
under a strict Content-Security-Policy.
"""

import html

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from swagger_ui_bundle import swagger_ui_path

from app.api.problems import explanation
from app.errors import NotFound

# Swagger UI sets style attributes and draws its icons from data: URLs; everything else is ours.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Paper subjects: API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_EXPLANATION = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/web/icon.svg">
<link rel="stylesheet" href="/web/style.css">
</head>
<body>
<header class="masthead"><a class="name" href="/">Paper subjects</a></header>
<main class="reading">
<h1>{title}</h1>
<p class="lede"><code>{code}</code>, HTTP {status}</p>
<p>{meaning}</p>
<p>{remedy}</p>
<p><a href="/docs">All paths and their answers</a></p>
</main>
</body>
</html>
"""
_ASSETS = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API, to read and to try."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _CSP})


@router.get("/docs/start.js")
async def start() -> Response:
    """Starts Swagger UI; a file of its own, since the policy forbids scripts within a page."""
    return Response(_START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/docs/{asset}")
async def asset(request: Request) -> FileResponse:
    """A file of the Swagger UI package."""
    name = request.path_params["asset"]
    if name not in _ASSETS:
        raise NotFound("There is no such page; /docs is the documentation.")
    return FileResponse(swagger_ui_path / name, headers={"Cache-Control": "max-age=86400"})


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/problems/{code}")
async def problem_type(request: Request) -> Response:
    """What a problem type means and what to do about it; as a page for browsers, as JSON for programs."""
    found = explanation(request.path_params["code"])
    if found is None:
        raise NotFound("There is no such problem type.")
    if "text/html" in request.headers.get("accept", ""):
        page = _EXPLANATION.format_map({name: html.escape(str(text)) for name, text in found.items()})
        return HTMLResponse(page, headers={"Content-Security-Policy": _CSP})
    return JSONResponse(found)
