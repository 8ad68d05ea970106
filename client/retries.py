"""When to try again. Knows numbers and one header; neither sleeps nor sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retries:
    """How often and how long to try; classifying has no effects, so sending it again is safe.

    Retried are lost connections and `statuses`: too much work waiting, not ready, the deadline
    passed, and a proxy that found no service behind it. An address that refuses the connection is
    taken for a wrong one until the service has answered once, unless `before_first_answer`.
    """

    tries: int = 6
    total_s: float = 60.0
    first_s: float = 0.25
    longest_s: float = 10.0
    before_first_answer: bool = False
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})

    def covers(self, status: int | None) -> bool:
        """Whether trying again may help; None is a lost connection."""
        return status is None or status in self.statuses

    def pause(self, tried: int, spent_s: float, asked_s: float | None, jitter: float) -> float | None:
        """Seconds until the next try, None if there is none; `jitter` in [0, 1) spreads callers apart.

        Never earlier than the service asked: jitter is added to its wish, and taken from our own.
        """
        if tried >= self.tries:
            return None
        backoff: float = min(self.longest_s, self.first_s * 2 ** (tried - 1))
        pause = backoff * (1 - jitter / 2) if asked_s is None else asked_s + jitter * backoff
        return pause if spent_s + pause <= self.total_s else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that Retry-After asks for, as a number or as a date; None if absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        # Against the answer's own date: the clocks of two machines need not agree.
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
