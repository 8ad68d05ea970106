"""Who may come in: permits counted in papers and tokens, and the pace that says when to come back.

Knows numbers only. Lives on the event loop, so it needs no lock.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from app.inference.errors import QueueFull

_WEIGHT_OF_NEWEST = 0.05
_LONGEST_RETRY_S = 60


class Pace:
    """Seconds per token of one worker and tokens per paper, as averages that forget; and how late the loop is."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds_per_token: float | None = None
        self._tokens_per_paper: float | None = None
        self.lag_s = 0.0
        """How long the event loop lately left things undone: what it only sees now may have waited that long."""

    def observe(self, tokens: int, seconds: float) -> None:
        """One paper was scored."""
        self._seconds_per_token = _follow(self._seconds_per_token, seconds / max(1, tokens))
        self._tokens_per_paper = _follow(self._tokens_per_paper, tokens)

    def tokens_of(self, papers: int) -> int:
        """What so many papers usually have; 0 before the first measurement."""
        return round(papers * (self._tokens_per_paper or 0.0))

    def seconds_for(self, tokens: int) -> float:
        """How long all workers together take for so many tokens; 0 before the first measurement."""
        return tokens * (self._seconds_per_token or 0.0) / self._workers


class Permit:
    """Room for the papers of one request; for as many tokens as usual until they are counted."""

    def __init__(self, admission: "Admission", tokens: int) -> None:
        self._admission = admission
        self.tokens = tokens

    def weigh(self, tokens: int) -> None:
        """Ask for the tokens that there really are; raises QueueFull."""
        others = self._admission.tokens - self.tokens
        if refusal := self._admission.refusal_of_tokens(others, tokens):
            raise refusal
        self.tokens = tokens
        self._admission.tokens = others + tokens


class Place:
    """Room for one paper, kept for a request on its way from the door to its permit."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self._kept = True
        admission.kept += 1

    def give_up(self) -> None:
        """Let others have it; more than once does no harm."""
        if self._kept:
            self._kept = False
            self._admission.kept -= 1


class Admission:
    """What is inside: papers and tokens accepted and not yet answered; and how many are on their way in."""

    def __init__(self, most_papers: int, most_tokens: int, longest_wait_s: float, pace: Pace) -> None:
        self._most_papers = most_papers
        self._most_tokens = most_tokens
        self._longest_wait_s = longest_wait_s
        self._pace = pace
        self.papers = 0
        self.tokens = 0
        self.kept = 0

    @contextmanager
    def permit(self, papers: int, place: Place | None = None) -> Iterator[Permit]:
        """Come in with so many papers, on a place if one was kept; raises QueueFull, before they have cost anything."""
        if place:
            place.give_up()
        if refusal := self.refusal(papers):
            raise refusal
        permit = Permit(self, self._pace.tokens_of(papers))
        self.papers += papers
        self.tokens += permit.tokens
        try:
            yield permit
        finally:
            self.papers -= papers
            self.tokens -= permit.tokens

    def refusal(self, papers: int) -> QueueFull | None:
        """Why so many papers of usual length would not be let in now, None if they would."""
        total = self.papers + self.kept + papers
        if total > self._most_papers:
            return self._full("Too many papers are waiting", self._most_papers, total)
        return self.refusal_of_tokens(self.tokens + self._pace.tokens_of(self.kept), self._pace.tokens_of(papers))

    def refusal_of_tokens(self, others: int, tokens: int) -> QueueFull | None:
        """Why so many tokens have no room beside those of others, or could not be done in time; None if they fit."""
        total = others + tokens
        if total > self._most_tokens:
            return self._full("Too many tokens are waiting", self._most_tokens, total)
        # An empty house always lets one in: a wrong estimate must not lock everybody out for good.
        # Lateness takes half of the wait at most, or a busy machine would leave its workers without work.
        lag_s = min(self._pace.lag_s, self._longest_wait_s / 2)
        if others and lag_s + self._pace.seconds_for(total) > self._longest_wait_s:
            return self._full("More is waiting than can be answered in time")
        return None

    def _full(self, what: str, limit: int | None = None, actual: int | None = None) -> QueueFull:
        seconds = min(_LONGEST_RETRY_S, max(1, math.ceil(self._pace.seconds_for(self.tokens))))
        return QueueFull(f"{what}; come back in {seconds} s.", limit=limit, actual=actual, retry_after_s=seconds)


def _follow(average: float | None, newest: float) -> float:
    return newest if average is None else average + _WEIGHT_OF_NEWEST * (newest - average)
