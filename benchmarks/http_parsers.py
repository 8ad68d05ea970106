"""The cost of the two HTTP parsers that uvicorn can use: `python -m benchmarks.http_parsers`.

Each input is what the event loop may read at once; the time is how long parsing blocks it. Medians of several runs.
"""

import statistics
import time
from collections.abc import Callable

import h11
import httptools

_RUNS = 9
_PAPER = b'{"title": "A star", "abstract": "%s"}' % (b"word " * 240)
_HEAD = b"POST /classify HTTP/1.1\r\nHost: papers\r\nContent-Type: application/json\r\n"
_INPUTS = {
    "one request of 1.4 kB": _HEAD + b"Content-Length: %d\r\n\r\n" % len(_PAPER) + _PAPER,
    "32 kB of headers": _HEAD + b"".join(b"x-%d: a\r\n" % i for i in range(3_000)) + b"\r\n",
    "256 KiB of one-byte chunks": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * (256 * 1024 // 6),
}


class _Receiver:
    """Collects headers and body as uvicorn's protocol does."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body


def _parse_with_h11(data: bytes) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
    connection.receive_data(data)
    body = bytearray()
    while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
        if isinstance(event, h11.Data):
            body += event.data


def _parse_with_httptools(data: bytes) -> None:
    httptools.HttpRequestParser(_Receiver()).feed_data(data)


def _milliseconds(parse: Callable[[bytes], None], data: bytes) -> float:
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        parse(data)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    """Print the table."""
    print("| input | h11, ms | httptools, ms |", "|---|---|---|", sep="\n")
    for name, data in _INPUTS.items():
        slow, fast = _milliseconds(_parse_with_h11, data), _milliseconds(_parse_with_httptools, data)
        print(f"| {name} | {slow:.3f} | {fast:.3f} |")


if __name__ == "__main__":
    main()
