"""Content types: what a body may be declared as. Knows headers, leaves the bytes to `app.body`."""

from email.message import Message

from fastapi import Request
from pydantic import JsonValue

from app.body import parse
from app.errors import UnsupportedMediaType


async def json_document(request: Request) -> JsonValue:
    """The JSON document of a request; raises UnsupportedMediaType or NotJson."""
    declared = Message()
    declared["content-type"] = request.headers.get("content-type", "none/none")
    charset = declared.get_content_charset("utf-8")
    if declared.get_content_type() != "application/json" or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("The body is not declared as JSON; expected Content-Type: application/json.")
    return parse(await request.body())
