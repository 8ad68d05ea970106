"""Admission control: limits on the number of waiting papers, their cost and the time that they take."""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from app.inference.errors import QueueFull, RequestTooLarge
from model_store.papers import Paper

# What an abstract costs at most: one of 5,000 characters, of which the network reads 320 word pieces, costs 505.
ORDINARY_COST = 512
# English scholarly prose has 5.2 characters per word piece, spaces included.
_CHARS_PER_TOKEN = 5
# Tokenizing this many characters takes about as long as running one word piece through the network.
_CHARS_PER_TOKEN_COST = 32
# A fixed cost for each paper, however short. 120 titles took 2.7 ms of processor time each, with their abstracts
# 15.8 ms (arxiv-subjects 2.0.0, one thread). Counting word pieces and characters alone, a unit of a title would take
# 2.3 times as long as one of an abstract; with 29 units more for each paper both take the same.
_FIXED_COST = 29
_WINDOW = 64
_WEIGHT_OF_NEWEST = 0.05
_MAX_RETRY_S = 60


def cost_of(paper: Paper, max_tokens: int) -> int:
    """The estimated cost of a paper that is not tokenized yet, in units of one word piece's run through the network.

    Characters count twice: as the word pieces that they will probably become, of which the network
    reads at most `max_tokens`, and as the work of tokenizing, which has no such bound. A text of
    100,000 characters costs ten times an abstract although the network sees only its beginning.
    """
    return _cost(len(paper.title) + len(paper.abstract), max_tokens)


def cost_of_longest(max_tokens: int) -> int:
    """The cost of a paper of as many word pieces as the network reads, none of which is cut off."""
    return _cost(max_tokens * _CHARS_PER_TOKEN, max_tokens)


def _cost(chars: int, max_tokens: int) -> int:
    return _FIXED_COST + min(max_tokens, chars // _CHARS_PER_TOKEN) + chars // _CHARS_PER_TOKEN_COST


class Pace:
    """How many seconds one unit of cost takes, from the latest results.

    A trimmed ratio: the total seconds over the total cost of the last 64 papers, without the fastest
    and slowest eighth. A single outlier, even 150 times too slow, changes nothing, while a lasting
    change of the machine's speed shows within a few dozen papers.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._results: deque[tuple[float, int, float]] = deque(maxlen=_WINDOW)
        self._seconds_per_cost = 0.0

    def observe(self, cost: int, seconds: float) -> None:
        """Record that one worker took `seconds` for a paper of this cost."""
        self._results.append((seconds / cost, cost, seconds))
        trimmed = len(self._results) // 8 or int(len(self._results) > 2)
        usual = sorted(self._results)[trimmed : len(self._results) - trimmed]
        self._seconds_per_cost = sum(seconds for *_, seconds in usual) / sum(cost for _, cost, _ in usual)

    def seconds_for(self, cost: float) -> float:
        """How long all workers together take for this cost; 0 before the first result."""
        return cost * self._seconds_per_cost / self._workers


class Admission:
    """Decides once per request whether its papers may wait, by their number, their cost and the time.

    asyncio.Semaphore and queue.Queue(maxsize) count entries, not their cost, and block callers,
    while a server has to reject. Used on the event loop only, so it needs no lock.
    """

    def __init__(self, max_papers: int, max_cost: int, max_wait_s: float, pace: Pace) -> None:
        """`max_wait_s` is how long the accepted work together may take at the measured pace."""
        self.max_cost = max_cost
        self.papers = 0
        self.cost = 0
        self.loop_delay_s = 0.0
        """How late the event loop runs; a request may have waited that long before it was seen."""
        self._max_papers = max_papers
        self._max_wait_s = max_wait_s
        self._pace = pace
        self._average_cost = 0.0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def reserve(self, papers: int, cost: int) -> Iterator[None]:
        """Hold room for the papers of one request while the block runs.

        Raises QueueFull if there is no room now, RequestTooLarge if there never will be.
        """
        if refusal := self.refusal(papers, cost):
            raise refusal
        if papers:
            self._average_cost += _WEIGHT_OF_NEWEST * (cost / papers - self._average_cost)
        self.papers += papers
        self.cost += cost
        self._empty.clear()
        try:
            yield
        finally:
            self.papers -= papers
            self.cost -= cost
            if not self.papers:
                self._empty.set()

    def refusal(self, papers: int = 1, cost: float | None = None) -> QueueFull | RequestTooLarge | None:
        """The error for this much work, None if it is accepted; without a cost, that of average papers."""
        cost = papers * self._average_cost if cost is None else cost
        if papers > self._max_papers:
            return _too_large("papers", self._max_papers, papers)
        # One paper alone is never too large: it has already passed the limits on its length.
        if papers > 1 and cost > self.max_cost:
            return _too_large("word pieces or as much other work", self.max_cost, round(cost))
        if self.papers + papers > self._max_papers:
            return self._full("Too many papers are waiting", self._max_papers, self.papers + papers)
        if self.papers and self.cost + cost > self.max_cost:
            return self._full("Too many word pieces are waiting", self.max_cost, round(self.cost + cost))
        # The empty queue accepts everything: a wrong estimate must not lock out all requests for good.
        if self.papers and self._wait_s(cost) > self._max_wait_s:
            return self._full("More work is waiting than can be done in time")
        return None

    async def empty(self) -> None:
        """Return when nothing is reserved."""
        await self._empty.wait()

    def _wait_s(self, cost: float) -> float:
        # At most half of the limit, or a busy event loop would leave the workers without work.
        return min(self.loop_delay_s, self._max_wait_s / 2) + self._pace.seconds_for(self.cost + cost)

    def _full(self, what: str, limit: int | None = None, actual: int | None = None) -> QueueFull:
        seconds = min(_MAX_RETRY_S, max(1, math.ceil(self._pace.seconds_for(self.cost))))
        return QueueFull(f"{what}; try again in {seconds} s.", limit=limit, actual=actual, retry_after_s=seconds)


def _too_large(what: str, limit: int, actual: int) -> RequestTooLarge:
    detail = f"The request has {actual} {what}, more than the queue holds ({limit}); send fewer or shorter papers."
    return RequestTooLarge(detail, limit=limit, actual=actual)
