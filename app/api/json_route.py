"""A route class that checks the content type and parses the JSON body strictly.

FastAPI's own parsing accepts every `application/*+json` type, UTF-16 and UTF-32, NaN and Infinity, and reports
an empty body as a missing field.
"""

import codecs
import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import JsonValue

from app.api.errors import NotJson, UnsupportedMediaType

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
# Objects and arrays take twenty times as long to parse as text of the same length, and the event loop waits for it. The
# count includes braces in texts, of which LaTeX has a few in a hundred characters.
_MOST_BRACKETS = 100_000


class JsonRequest(Request):
    """A request whose `json` accepts only what is declared and encoded as JSON in UTF-8."""

    async def json(self) -> JsonValue:
        """The document in the body; raises UnsupportedMediaType or NotJson."""
        if not hasattr(self, "_document"):
            self.check_content_type()
            self._document = parse_json(await self.body())
        return self._document

    def check_content_type(self) -> None:
        """Raises UnsupportedMediaType unless the body is declared as JSON."""
        require_json(self.headers.get("content-type", ""))


class JsonRoute(APIRoute):
    """Gives FastAPI a JsonRequest wherever an operation has a body."""

    request_class: type[JsonRequest] = JsonRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See "Custom Request and APIRoute class" in the FastAPI documentation."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def parse_and_handle(request: Request) -> Response:
            strict = self.request_class(request.scope, request.receive)
            # Parsed here, since FastAPI answers any exception of a parser with a 400 of its own.
            await strict.json()
            return await handle(strict)

        return parse_and_handle


def require_json(content_type: str) -> None:
    """Raises UnsupportedMediaType unless this is application/json, in UTF-8 if a charset is given.

    Takes time proportional to the length, which `email.message` does not.
    """
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = {part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")}
    if media_type != "application/json":
        raise UnsupportedMediaType("The body is not declared as JSON; expected Content-Type: application/json.")
    if not charsets <= _CHARSETS:
        raise UnsupportedMediaType("The body is declared in another charset; encode JSON in UTF-8.")


def parse_json(body: bytes) -> JsonValue:
    """The document in `body` (RFC 8259, UTF-8 only); raises NotJson."""
    _check_encoding(body)
    if (brackets := body.count(b"{") + body.count(b"[")) > _MOST_BRACKETS:
        raise NotJson(
            f"The body has {brackets} opening brackets; expected at most {_MOST_BRACKETS}. Send fewer papers."
        )
    try:
        document: JsonValue = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise NotJson("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not valid JSON; parsing stopped at character {error.pos}.") from None
    except ValueError:
        raise NotJson("The body contains a number that is too long.") from None
    except RecursionError:
        raise NotJson("The body is nested too deeply.") from None
    return document


def _check_encoding(body: bytes) -> None:
    """Raises NotJson for what other programs often send in the place of JSON in UTF-8."""
    if not body.strip():
        raise NotJson("The body is empty; expected a JSON object.")
    if body.startswith(codecs.BOM_UTF8):
        raise NotJson("The body begins with a byte order mark; encode it in UTF-8 without one.")
    # JSON begins with ASCII characters, of which UTF-16 and UTF-32 make one byte and NUL bytes.
    if body.startswith(_UTF16_MARKS) or b"\0" in body[:2]:
        raise NotJson("The body seems to be in UTF-16 or UTF-32; encode it in UTF-8.")


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"The body contains {name}, which is not a JSON number.")
