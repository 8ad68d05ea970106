"""`python -m app.api.openapi_document > openapi.json`: the committed document, which a test holds against the service.

Needs no artefact: shapes and errors are the same for every label set. Sorted, so that a change shows as one.
"""

import json
import sys
from typing import Any

from fastapi import FastAPI

from app.api import openapi, routes
from app.settings import Settings


def text(document: dict[str, Any]) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """What a service with default settings and without keys answers under /openapi.json."""
    app = FastAPI(title=openapi.TITLE, description=openapi.DESCRIPTION, version=openapi.API_VERSION)
    app.include_router(routes.router)
    return openapi.document(app, Settings().max_papers, keys=False)


if __name__ == "__main__":
    sys.stdout.write(text(document()))
