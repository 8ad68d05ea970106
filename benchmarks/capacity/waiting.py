"""Requests that wait at one instance, in the order of the service's `FairQueue`."""

import heapq
from collections import deque
from collections.abc import Sequence

import simpy

from benchmarks.capacity.costs import PaperCost


class Request:
    """Accepted papers of one request, taken one by one."""

    __slots__ = ("created", "done", "number", "taken_cost", "unfinished", "urgent_from", "waiting")

    def __init__(self, papers: Sequence[PaperCost], done: simpy.Event, created: float, urgent_from: float) -> None:
        """`done` succeeds with the reply."""
        self.waiting = deque(papers)
        self.unfinished = len(papers)
        self.done = done
        self.created = created
        self.urgent_from = urgent_from
        self.number = 0
        self.taken_cost = 0

    @property
    def cost_with_next(self) -> int:
        """The cost of the papers taken so far and of the next one."""
        return self.taken_cost + self.waiting[0].units


class Waiting:
    """Hands out the next paper of the oldest request if it is urgent, otherwise of the one with the least work so far.

    First papers up to `ordinary_cost` come before all others, as in `FairQueue`.

    `FairQueue` looks at every request, which is too slow for millions of papers; here they are in a heap, with one
    valid entry for each: the one with its present cost.
    """

    def __init__(self, ordinary_cost: int) -> None:
        self._ordinary_cost = ordinary_cost
        self.papers = 0
        self._by_cost: list[tuple[int, int, Request]] = []
        self._by_age = deque[Request]()
        self._count = 0

    def put(self, request: Request) -> None:
        """Add a request; of equals, the first is served first."""
        self._count += 1
        request.number = self._count
        self.papers += len(request.waiting)
        self._by_age.append(request)
        self._push(request)

    def take(self, now: float) -> tuple[Request, PaperCost]:
        """The next paper and its request; there must be one."""
        while not self._by_age[0].waiting:
            self._by_age.popleft()
        oldest = self._by_age[0]
        request = oldest if oldest.urgent_from <= now else self._least()
        paper = request.waiting.popleft()
        request.taken_cost += paper.units
        self.papers -= 1
        if request.waiting:
            self._push(request)
        return request, paper

    def withdraw(self, request: Request) -> None:
        """Drop the waiting papers of a request."""
        self.papers -= len(request.waiting)
        request.waiting.clear()

    def _push(self, request: Request) -> None:
        heapq.heappush(self._by_cost, (self._rank(request), request.number, request))

    def _rank(self, request: Request) -> int:
        cost = request.cost_with_next
        return cost if request.taken_cost or cost > self._ordinary_cost else 0

    def _least(self) -> Request:
        while True:
            rank, _, request = heapq.heappop(self._by_cost)
            if request.waiting and self._rank(request) == rank:
                return request
