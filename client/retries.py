"""When a request is repeated, and after how long a pause."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retries:
    """How often and how long a request is repeated; classification changes nothing, so repeating it is safe.

    Requests are repeated after a lost connection and after one of `statuses`: the body arrived too slowly, the queue
    is full, the service is not ready, the deadline passed, or a proxy reached no service. A refused connection is
    taken as a wrong address until the service has answered once, unless `before_first_answer` is set.
    """

    tries: int = 6
    total_s: float = 60.0
    first_s: float = 0.25
    longest_s: float = 10.0
    before_first_answer: bool = False
    statuses: frozenset[int] = frozenset({408, 429, 502, 503, 504})

    def covers(self, status: int | None) -> bool:
        """Whether a request with this status is repeated; None stands for a lost connection."""
        return status is None or status in self.statuses

    def pause(self, tried: int, spent_s: float, asked_s: float | None, jitter: float) -> float | None:
        """Seconds until the next try, or None if there is none; `jitter`, in [0, 1), spreads clients apart.

        `tried` counts the tries so far, `asked_s` is the pause that the service asked for. Jitter lengthens that
        pause and shortens the client's own.
        """
        if tried >= self.tries:
            return None
        backoff: float = min(self.longest_s, self.first_s * 2 ** (tried - 1))
        pause = backoff * (1 - jitter / 2) if asked_s is None else asked_s + jitter * backoff
        return pause if spent_s + pause <= self.total_s else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header, given as a number or a date (RFC 9110, section 10.2.3), or None."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        # Relative to the response's own date, since the clocks of two machines need not agree.
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
