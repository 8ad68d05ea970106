"""Host names and API keys: who gets past the middleware, tried over sockets as well as message by message."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.middleware import AllowedHostsMiddleware
from app.main import create_app
from app.observability.request_log import open_request_log
from app.settings import LOCAL_HOSTS, Settings
from model_store.errors import ArtefactDamaged
from model_store.store import Store
from tests import builders
from tests.app.served import Served, served, statuses

BROWSER = (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)")
PAPER = b'{"title": "a star"}'
# Exactly as the hash of a key is written into the file.
HASH = hashlib.sha256(b"k-first").hexdigest().encode()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def status_for(
    host: bytes,
    hosts: tuple[str, ...],
    *headers: tuple[bytes, bytes],
    browsers_only: bool = False,
    path: str = "/",
) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def exchange() -> None:
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", host), *headers]}
        open_request_log(scope)
        await AllowedHostsMiddleware(application, hosts, browsers_only)(scope, receive, send)

    asyncio.run(exchange())
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"papers.example", 200), (b"PAPERS.example", 200), (b"papers.example:8000", 200), (b"a.b.example.org", 200),
        (b"example.org", 403), (b"badexample.org", 403), (b"papers.example.evil.example", 403), (b"", 403),
        (b"papers.example:80:evil.example", 403), (b"[::1]", 200), (b"[::1]:8000", 200), (b"[::2]:8000", 403),
        (b"::1", 403), (b"papers.example@evil.example", 403), (b"papers.example.", 403), (b"papers.example,evil", 403),
    ],
)  # fmt: skip
def test_only_allowed_host_names_are_served(host: bytes, status: int) -> None:
    assert status_for(host, ("papers.example", "*.example.org", "[::1]")) == status


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 200), ("/metrics", 403), ("/livez/x", 403)])
def test_probes_are_open_by_any_name(path: str, status: int) -> None:
    assert status_for(b"10.0.0.7:8000", ("papers.example",), path=path) == status


@pytest.mark.parametrize("headers", [[BROWSER], [(b"origin", b"http://evil.example")]], ids=["page", "script"])
def test_a_local_service_without_keys_is_closed_to_web_pages_under_other_names(
    headers: list[tuple[bytes, bytes]],
) -> None:
    """DNS rebinding: the page's own name resolves to this machine, so for the browser it is the same origin."""
    assert status_for(b"evil.example:8000", LOCAL_HOSTS, *headers, browsers_only=True) == 403
    for local in (b"localhost:8000", b"127.0.0.1:8000", b"[::1]:8000", b"papers.localhost:8000"):
        assert status_for(local, LOCAL_HOSTS, *headers, browsers_only=True) == 200


def test_other_programs_may_call_a_local_service_by_any_name() -> None:
    assert status_for(b"papers", LOCAL_HOSTS, (b"user-agent", b"curl/8"), browsers_only=True) == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = Path(tmp_path_factory.mktemp("keys"))
    keys = folder / "keys"
    keys.write_text(f"# keys\nlibrary:{HASH.decode()}\n")
    store = builders.publish(folder / "artefacts")
    settings = Settings(
        artefacts=store.root, threads=1, api_key_file=keys, open_health=False, header_timeout_s=1, drain_notice_s=0
    )
    with served(create_app(settings), settings) as server:
        yield server


def call(line: bytes, *headers: bytes, body: bytes = PAPER) -> bytes:
    fields = b"".join(
        header + b"\r\n"
        for header in (b"Host: papers", b"Content-Type: application/json", b"Connection: close", *headers)
    )
    return line + b"\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


POST = b"POST /classify HTTP/1.1"
GET_METRICS = b"GET /metrics HTTP/1.1"
BYPASSES = {
    "no key": call(POST),
    "an empty bearer": call(POST, b"Authorization: Bearer "),
    "an empty X-API-Key": call(POST, b"X-API-Key: "),
    "a wrong key": call(POST, b"X-API-Key: k-second"),
    "a prefix of the key": call(POST, b"X-API-Key: k-firs"),
    "the key and more": call(POST, b"X-API-Key: k-first2"),
    "the key in capitals": call(POST, b"X-API-Key: K-FIRST"),
    "the key with a NUL escape": call(POST, b"X-API-Key: k-first%00"),
    "the hash of the key": call(POST, b"X-API-Key: " + HASH),
    "name and hash": call(POST, b"X-API-Key: library:" + HASH),
    "the name": call(POST, b"X-API-Key: library"),
    "another scheme": call(POST, b"Authorization: Basic k-first"),
    "no scheme": call(POST, b"Authorization: k-first"),
    "the scheme alone": call(POST, b"Authorization: Bearer"),
    "two keys in one header": call(POST, b"X-API-Key: k-second, k-first"),
    "the key in the second header of two": call(POST, b"X-API-Key: k-second", b"X-API-Key: k-first"),
    "a wrong bearer beside the key": call(POST, b"Authorization: Bearer k-second", b"X-API-Key: k-first"),
    "a name with an underscore": call(POST, b"X_API_Key: k-first"),
    "the key in the query": call(b"POST /classify?x-api-key=k-first&api_key=k-first HTTP/1.1"),
    "the key in a cookie": call(POST, b"Cookie: x-api-key=k-first"),
    "the key as a trailer": (
        POST + b"\r\nHost: papers\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked"
        b"\r\n\r\n13\r\n" + PAPER + b"\r\n0\r\nX-API-Key: k-first\r\n\r\n"
    ),
    "the address of a trusted proxy": call(POST, b"X-Forwarded-For: 127.0.0.1", b"X-Real-IP: 127.0.0.1"),
    "another path by header": call(b"GET /livez HTTP/1.1", b"X-Original-URL: /metrics", b"X-Rewrite-URL: /metrics"),
    "another method by header": call(b"GET /classify HTTP/1.1", b"X-HTTP-Method-Override: POST"),
    "an absolute target": call(b"POST http://papers/classify HTTP/1.1"),
    "an absolute target with an open host": call(b"POST http://docs/classify HTTP/1.1"),
    "an absolute target that looks open": call(b"GET http:///web/../metrics HTTP/1.1"),
    "an absolute target with user and password": call(b"POST http://library:k-first@papers/classify HTTP/1.1"),
    "metrics": call(GET_METRICS),
    "metrics by HEAD": call(b"HEAD /metrics HTTP/1.1"),
    "metrics in capitals": call(b"GET /METRICS HTTP/1.1"),
    "metrics with an encoded letter": call(b"GET /%6detrics HTTP/1.1"),
    "metrics with a slash": call(b"GET /metrics/ HTTP/1.1"),
    "metrics with two slashes": call(b"GET //metrics HTTP/1.1"),
    "metrics below an open path": call(b"GET /docs/../metrics HTTP/1.1"),
    "metrics below an open path, encoded": call(b"GET /docs/%2e%2e/metrics HTTP/1.1"),
    "metrics below an open path, slash encoded": call(b"GET /docs/..%2fmetrics HTTP/1.1"),
    "metrics after a semicolon": call(b"GET /livez;/metrics HTTP/1.1"),
    "metrics with a parameter": call(b"GET /metrics;/livez HTTP/1.1"),
    "metrics after a NUL": call(b"GET /livez%00/metrics HTTP/1.1"),
    "metrics after a backslash": call(b"GET /web/..%5cmetrics HTTP/1.1"),
    "metrics in a fragment": call(b"GET /livez#/metrics HTTP/1.1"),
    "reload": call(b"POST /admin/reload HTTP/1.1"),
}


@pytest.mark.parametrize("attempt", BYPASSES.values(), ids=BYPASSES)
def test_no_request_gets_past_the_api_key(server: Served, attempt: bytes) -> None:
    answer = server.exchange(attempt)
    (status,) = statuses(answer)
    assert status in (400, 401, 404, 405) or (status == 200 and b'{"status":"live"}' in answer)
    assert b"papers_" not in answer
    assert b"probabilities" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        call(POST, b"Authorization: Bearer k-first"),
        call(POST, b"authorization: bearer   k-first"),
        call(POST, b"X-API-KEY: k-first"),
        call(b"POST http://papers.example/classify HTTP/1.1", b"X-API-Key: k-first"),
        call(GET_METRICS, b"X-API-Key: k-first"),
        call(b"GET /livez HTTP/1.1"),
        call(b"GET /readyz HTTP/1.1"),
        call(b"GET http://papers.example/livez HTTP/1.1"),
    ],
)
def test_keys_and_open_paths_work_in_every_spelling(server: Served, request_bytes: bytes) -> None:
    assert server.statuses(request_bytes) == [200]


TRAVERSALS = (
    "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%252fsettings.py", "....//settings.py",
    "..%5c..%5csettings.py", "%2fetc%2fpasswd", "/etc/passwd", "page.js%00.html", "page.js/../../settings.py", ".",
    "%2e%2e", "~root", "page.js%20", "PAGE.JS", "a" * 400,
)  # fmt: skip


@pytest.mark.parametrize("folder", ["web", "docs", "problems"])
def test_only_known_files_are_served(server: Served, folder: str) -> None:
    for name in TRAVERSALS:
        answer = server.exchange(call(b"GET /%s/%s HTTP/1.1" % (folder.encode(), name.encode()), body=b""))
        assert statuses(answer) in ([401], [404]), name
        assert b"root:" not in answer


def test_a_pinned_manifest_is_the_only_one_that_is_served(store: Store) -> None:
    pinned = store.open().sha256
    assert create_app(Settings(artefacts=store.root, manifest_sha256=pinned)).title
    with pytest.raises(ArtefactDamaged, match="the one that is accepted is 0000"):
        create_app(Settings(artefacts=store.root, manifest_sha256="0" * 64))
