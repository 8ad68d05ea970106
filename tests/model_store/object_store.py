"""A server that speaks S3 over HTTP, with faults to choose."""

import functools
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

Fault = Callable[[list[bytes], list[tuple[str, str]]], tuple[str, list[bytes]]]
BUCKET = "papers"


def slow(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
    """Longer than the impatient client waits."""
    time.sleep(1.5)
    return "200 OK", body


def cut_off(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
    """The connection ends after half of the announced bytes."""
    content = b"".join(body)
    return "200 OK", [content[: len(content) // 2]]


def wrong_bytes(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
    """As many bytes as expected, but others, and no checksum of S3's own that would tell."""
    headers[:] = [(name, value) for name, value in headers if not name.lower().startswith("x-amz-checksum")]
    content = b"".join(body)
    return "200 OK", [bytes(len(content))]


def forbidden(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
    """As without permission."""
    return "403 Forbidden", [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]


def gone(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
    """As if somebody had deleted the object."""
    content = b"<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"
    headers[:] = [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))]
    return "404 Not Found", [content]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: the server is part of a test."""


class ObjectStore:
    """The server; `fault` happens to answers for paths that contain `where`."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.where = "/"
        self.reads: list[str] = []
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @functools.cached_property
    def files(self) -> Any:
        """A client that tries once, and waits as long as a busy machine may need."""
        return self._client(timeout_s=30)

    @functools.cached_property
    def impatient(self) -> Any:
        """A client that gives up before a slow answer."""
        return self._client(timeout_s=1)

    def _client(self, timeout_s: int) -> Any:
        made = s3fs.S3FileSystem(
            key="key", secret="secret", endpoint_url=self.url, skip_instance_cache=True,
            client_kwargs={"region_name": "us-east-1"},
            config_kwargs={"connect_timeout": timeout_s, "read_timeout": timeout_s, "retries": {"max_attempts": 0}},
        )  # fmt: skip
        made.retries = 1
        return made

    def upload(self, folder: Path) -> None:
        """Everything below a folder."""
        self.files.put(f"{folder}/", f"{BUCKET}/models/", recursive=True)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        told: list[Any] = []
        body = list(self._app(environ, lambda status, headers, *_: told.extend([status, headers])))
        status, headers = told
        if environ["REQUEST_METHOD"] == "GET":
            self.reads.append(path)
            if self.fault is not None and self.where in path:
                status, body = self.fault(body, headers)
        start_response(status, headers)
        return body

    def __enter__(self) -> "ObjectStore":
        self._thread.start()
        return self

    def reset(self) -> None:
        """An empty bucket and no fault."""
        self.fault, self.where = None, "/"
        self.reads.clear()
        # moto keeps one state for all servers of a process.
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
        self.files.call_s3("create_bucket", Bucket=BUCKET)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
