"""Nothing that a client sends keeps the event loop busy for long: headers and texts at their limits.

Measured is the processor time of the event loop's thread, which a busy machine does not change.
"""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.main import create_app
from app.settings import Settings
from tests import builders

# A request of ordinary size takes about one millisecond.
MAX_BUSY_S = 0.05
# Below the limit of all headers together.
ROOM = 31_000
JSON = (b"content-type", b"application/json")
PAPER = b'{"title": "a star"}'
T = TypeVar("T")
HEADERS: dict[str, list[tuple[bytes, bytes]]] = {
    "cookies": [(b"cookie", b"a=b;" * (ROOM // 4))],
    "an escaped cookie": [(b"cookie", b'a="' + b"\\" * (ROOM - 10) + b'"')],
    "an octal cookie": [(b"cookie", b'a="' + b"\\101" * (ROOM // 4 - 3) + b'"')],
    "a content type of semicolons": [(b"content-type", b"application/json" + b";" * (ROOM - 20))],
    "a content type of quotes": [(b"content-type", b'application/json; charset="' + b'\\"' * (ROOM // 2 - 20))],
    "a charset with many digits": [(b"content-type", b"application/json; charset*" + b"1" * 5_000 + b"=utf-8")],
    "a charset in many parts": [
        (b"content-type", b"application/json" + b"".join(b"; charset*%d=a" % i for i in range(1_800)))
    ],
    "an endless media type": [(b"content-type", b"a/" * (ROOM // 2))],
    "a list of encodings": [(b"accept-encoding", b"gzip;q=0.1," * (ROOM // 11))],
    "a list of media types": [(b"accept", b"a/b;q=0.1," * (ROOM // 10))],
    "an authorization of spaces": [(b"authorization", b"Bearer " + b" " * ROOM)],
    "a key": [(b"x-api-key", b"k" * ROOM)],
    "a request id": [(b"x-request-id", b"a" * ROOM)],
    "a trace": [(b"traceparent", b"00-" + b"0" * ROOM)],
    "a trace state": [(b"tracestate", b"a=b," * (ROOM // 4))],
    "an entity tag": [(b"if-none-match", b'W/"a",' * (ROOM // 6))],
    "an origin": [(b"origin", b"https://" + b"a." * (ROOM // 2))],
    "a range": [(b"range", b"bytes=" + b"0-1," * (ROOM // 4))],
    "a chain of proxies": [(b"x-forwarded-for", b"1.1.1.1, " * (ROOM // 9))],
    "a connection": [(b"connection", b"close," * (ROOM // 6))],
    "one hundred headers": [(b"x-%d" % i, b"a" * 250) for i in range(95)],
}
WORST_TEXTS = {
    "line breaks": "\n" * 100_000,
    "full stops": "." * 100_000,
    "full stops and spaces": ". " * 50_000,
    "abbreviations": "e.g. i.e. cf. " * 7_000,
    "brackets": "(" * 100_000,
    "opened tags": "<" * 100_000,
    "tags": "<i>" * 33_000,
    "entities": "&amp;" * 20_000,
    "escaped entities": "&" + "amp;" * 25_000,
    "combining marks": "e" + "\u0301" * 99_999,
    "hyphens at line ends": "a-\n" * 33_000,
    "zero-width characters": "\u200b" * 100_000,
    "ligatures": "\ufdfa" * 100_000,
    "placeholders": "[No abstract available] " * 4_000,
    "one word": "a" * 100_000,
    "rare words": "zq xj qv " * 11_000,
    "dollars": "$" * 100_000,
    "backslashes": "\\" * 100_000,
}


STRUCTURES = {
    "objects": "{},",
    "objects in arrays": "[{}],",
    "arrays in arrays": "[[]],",
    "objects with a name": '{"a":1},',
    "numbers": "1,",
    "strings": '"a",',
    "literals": "null,",
}
LARGEST_BODY = 1_000_000


class Application(NamedTuple):
    """A running application and its event loop; engines are not started twice."""

    app: FastAPI
    state: Mapping[str, object]
    runner: asyncio.Runner

    def request(self, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
        """The status code of the answer."""
        return self.runner.run(asyncio.wait_for(request(self, path, body, headers), timeout=30))


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    store = builders.publish(Path(tmp_path_factory.mktemp("loop")) / "artefacts")
    app = create_app(Settings(artefacts=store.root, threads=1, cors_origins=("https://library.example",)))
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        state = runner.run(_awaited(lifespan.__aenter__()))
        running = Application(app, state or {}, runner)
        running.request("/classify", PAPER, [JSON])  # imports and caches
        # What other tests have left is not the service's: a collection that went through it would be measured, too.
        gc.collect()
        gc.freeze()
        yield running
        gc.unfreeze()
        runner.run(_awaited(lifespan.__aexit__(None, None, None)))


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


@contextmanager
def busy_for_less_than(seconds: float) -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < seconds


async def request(running: Application, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    sent: list[int] = []
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000), "headers": [(b"host", b"localhost"), *headers], "state": dict(running.state),
    }  # fmt: skip
    await running.app(scope, receive, send)
    return sent[0]


def assert_quick(running: Application, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with busy_for_less_than(MAX_BUSY_S):
        status = running.request(path, body, headers)
    assert status < 500


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_no_header_keeps_the_event_loop_busy(application: Application, headers: list[tuple[bytes, bytes]]) -> None:
    given = {name for name, _ in headers}
    rest = [] if JSON[0] in given else [JSON]
    assert_quick(application, "/classify", PAPER, [*headers, *rest])


@pytest.mark.parametrize("path", ["/classify", "/explain"])
@pytest.mark.parametrize("text", WORST_TEXTS.values(), ids=WORST_TEXTS)
def test_no_text_keeps_the_event_loop_busy(application: Application, text: str, path: str) -> None:
    body = json.dumps({"title": "a star", "abstract": text}).encode()
    assert_quick(application, path, body, [JSON])


@pytest.mark.parametrize("path", ["/classify", "/classify/batch"])
@pytest.mark.parametrize("element", STRUCTURES.values(), ids=STRUCTURES)
def test_no_structure_keeps_the_event_loop_busy(application: Application, element: str, path: str) -> None:
    body = '{"papers": [' + (element * (LARGEST_BODY // len(element))).rstrip(",") + "]}"
    assert_quick(application, path, body.encode(), [JSON])


def test_no_batch_keeps_the_event_loop_busy(application: Application) -> None:
    body = json.dumps({"papers": [{"title": "a star", "abstract": "zq xj qv " * 1_700}] * 64}).encode()
    assert_quick(application, "/classify/batch", body, [JSON])
