"""`python -m app.api.openapi_document > openapi.json` writes the document that is committed.

It needs no artefact, since schemas and errors are the same for every label set, and is sorted, so that a change
of the API gives a small diff.
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
    """What a service with default settings and without API keys serves at /openapi.json."""
    app = FastAPI(title=openapi.TITLE, description=openapi.DESCRIPTION, version=openapi.API_VERSION)
    openapi.describe(app, Settings().max_papers)
    for router in (routes.classification, routes.operation, routes.health):
        app.include_router(router)
    return app.openapi()


if __name__ == "__main__":
    sys.stdout.write(text(document()))
