"""Log lines: JSON for machines, short lines for a terminal. Knows records, never a text that was submitted."""

import json
import logging
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from app.observability.request_log import Record

LOGGER = "papers"
_FIELDS = "fields"


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        return json.dumps(line, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """A short line: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        return f"{when} {record.levelname.lower():<7} {record.getMessage()} {fields}".rstrip()


def configure(level: str, style: str, stream: IO[str]) -> None:
    """Send this program's and uvicorn's log lines to `stream`; "auto" is human on a terminal, JSON elsewhere."""
    human = style == "human" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanFormatter() if human else JsonFormatter())
    for name in (LOGGER, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False


def event(level: int, message: str, **fields: Any) -> None:
    """Log something that happened to the service."""
    logging.getLogger(LOGGER).log(level, message, extra={_FIELDS: fields})


def request(record: Record, method: str, route: str, status: int, seconds: float) -> None:
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
    """Log a bug by its type and place; an exception's own words may quote a submitted text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
    event(logging.ERROR, message, error=type(error).__name__, where=where, **fields)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, _FIELDS, {})
    return fields


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
