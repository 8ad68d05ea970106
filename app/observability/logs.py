"""Log lines: JSON for machines, short lines for a terminal. No line contains a submitted text."""

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any

from app.observability.request_log import RequestLog

LOGGER = "papers"
_FIELDS = "fields"
# Clients choose request ids, methods and other values, which must not fill the log.
_MAX_VALUE_CHARS = 1_000
_MAX_FRAMES = 5


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_fields(record),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class HumanFormatter(logging.Formatter):
    """A short line: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        return f"{when} {record.levelname.lower():<7} {_message(record)} {fields}".rstrip()


def configure(level: str, style: str, stream: IO[str]) -> None:
    """Send the log lines of this program and of all libraries, and warnings, to `stream`.

    The style "auto" is human on a terminal and JSON elsewhere.
    """
    human = style == "human" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanFormatter() if human else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in (LOGGER, "uvicorn"):
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)


def log_uncaught_exceptions() -> None:
    """Log what Python would print to standard error when an exception ends the program or a thread."""

    def uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
            failure("uncaught exception", error)

    sys.excepthook = uncaught
    threading.excepthook = lambda args: uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def event(level: int, message: str, **fields: Any) -> None:
    """Log something that happened to the service."""
    logging.getLogger(LOGGER).log(level, message, extra={_FIELDS: fields})


class ThrottledEvent:
    """An event that is logged at most once per interval."""

    def __init__(self, level: int, message: str, interval_s: float) -> None:
        self._level = level
        self._message = message
        self._interval_s = interval_s
        self._next = 0.0

    def __call__(self, **fields: Any) -> None:
        """Log it, unless it was logged just now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval_s
            event(self._level, self._message, **fields)


def request(record: RequestLog, method: str, route: str, status: int, seconds: float) -> None:
    """Log one answered request; times in milliseconds."""
    fields = {
        "request_id": record.id,
        "trace_id": record.trace_id,
        "method": method,
        "route": route,
        "status": status,
        "papers": record.papers,
        "tokens": record.tokens,
        "tokenize_ms": _ms(record.tokenize_s),
        "queue_ms": _ms(record.queue_s),
        "infer_ms": _ms(record.infer_s),
        "total_ms": _ms(seconds),
        "model_version": record.model_version,
        "key": record.key_name,
        "problems": sorted(set(record.problems)),
    }
    event(logging.INFO, "request", **{name: value for name, value in fields.items() if value not in (None, [])})


def failure(message: str, error: BaseException, **fields: Any) -> None:
    """Log an exception by type and location; its message may quote a submitted text."""
    event(logging.ERROR, message, **_described(error), **fields)


def _message(record: logging.LogRecord) -> str:
    """The first line only: libraries append details, for instance the repr of a task and its exception."""
    return str(_bounded(record.getMessage().strip().partition("\n")[0]))


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = {name: _bounded(value) for name, value in getattr(record, _FIELDS, {}).items()}
    if record.exc_info and record.exc_info[1]:
        fields |= _described(record.exc_info[1])
    return fields


def _described(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return {
        "error": type(error).__name__,
        "where": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MAX_VALUE_CHARS:
        return value[:_MAX_VALUE_CHARS] + "…"
    return value


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
