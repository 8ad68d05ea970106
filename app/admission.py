"""Who may come in: permits counted in papers and tokens, and the pace that says when to come back.

Knows numbers only. Lives on the event loop, so it needs no lock.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import QueueFull

_WEIGHT_OF_NEWEST = 0.05
_LONGEST_RETRY_S = 60


class Pace:
    """Seconds per token of one worker, as an average that forgets."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds_per_token: float | None = None

    def observe(self, tokens: int, seconds: float) -> None:
        """One paper was scored."""
        measured = seconds / max(1, tokens)
        before = measured if self._seconds_per_token is None else self._seconds_per_token
        self._seconds_per_token = before + _WEIGHT_OF_NEWEST * (measured - before)

    def seconds_for(self, tokens: int) -> float:
        """How long all workers together take for so many tokens; 0 before the first measurement."""
        return tokens * (self._seconds_per_token or 0.0) / self._workers


class Permit:
    """Room for the papers of one request, later also for their tokens."""

    def __init__(self, admission: "Admission", papers: int) -> None:
        self._admission = admission
        self.papers = papers
        self.tokens = 0

    def weigh(self, tokens: int) -> None:
        """Ask for the tokens too, once they are counted; raises QueueFull."""
        self._admission.refuse_tokens(tokens)
        self.tokens = tokens
        self._admission.tokens += tokens


class Admission:
    """What is inside: papers and tokens accepted and not yet answered."""

    def __init__(self, most_papers: int, most_tokens: int, longest_wait_s: float, pace: Pace) -> None:
        self._most_papers = most_papers
        self._most_tokens = most_tokens
        self._longest_wait_s = longest_wait_s
        self._pace = pace
        self.papers = 0
        self.tokens = 0

    @contextmanager
    def permit(self, papers: int) -> Iterator[Permit]:
        """Come in with so many papers; raises QueueFull, before they have cost anything."""
        if self.papers + papers > self._most_papers:
            raise self._full("Too many papers are waiting", self._most_papers, self.papers + papers)
        self._refuse_hopeless(self.tokens)
        permit = Permit(self, papers)
        self.papers += papers
        try:
            yield permit
        finally:
            self.papers -= papers
            self.tokens -= permit.tokens

    def refuse_tokens(self, tokens: int) -> None:
        """Raise QueueFull if so many more tokens have no room, or could not be done in time."""
        total = self.tokens + tokens
        if total > self._most_tokens:
            raise self._full("Too many tokens are waiting", self._most_tokens, total)
        self._refuse_hopeless(total)

    def _refuse_hopeless(self, tokens: int) -> None:
        # An empty house always lets one in: a wrong estimate must not lock everybody out for good.
        if self.tokens and self._pace.seconds_for(tokens) > self._longest_wait_s:
            raise self._full("More is waiting than can be answered in time")

    def _full(self, what: str, limit: int | None = None, actual: int | None = None) -> QueueFull:
        seconds = min(_LONGEST_RETRY_S, max(1, math.ceil(self._pace.seconds_for(self.tokens))))
        return QueueFull(f"{what}; come back in {seconds} s.", limit=limit, actual=actual, retry_after_s=seconds)
