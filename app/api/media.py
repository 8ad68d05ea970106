"""Content types: what a body may be declared as. Knows headers, leaves the bytes to `app.body`."""

from email.message import Message

from fastapi import Request
from pydantic import JsonValue

from app.api.body import parse
from app.errors import UnsupportedMediaType


async def json_document(request: Request) -> JsonValue:
    """The JSON document of a request; raises UnsupportedMediaType or NotJson."""
    declared = request.headers.get("content-type", "none/none")
    # Nearly all say just this; reading a media type by the rules takes longer than reading a short body.
    if declared != "application/json" and not _is_json(declared):
        raise UnsupportedMediaType("The body is not declared as JSON; expected Content-Type: application/json.")
    return parse(await request.body())


def _is_json(declared: str) -> bool:
    message = Message()
    message["content-type"] = declared
    charset = message.get_content_charset("utf-8")
    return message.get_content_type() == "application/json" and charset in ("utf-8", "utf8", "us-ascii")
