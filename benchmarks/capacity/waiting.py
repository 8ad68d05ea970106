"""Requests that wait at one instance, in the order of the service's `FairQueue`."""

import heapq
from collections import deque
from collections.abc import Sequence

import simpy

from app.inference.queue import rank
from benchmarks.capacity.costs import PaperCost


class Request:
    """Accepted papers of one request, taken one by one."""

    __slots__ = ("cost_taken", "created", "done", "number", "unfinished", "urgent_from", "waiting")

    def __init__(self, papers: Sequence[PaperCost], done: simpy.Event, created: float, urgent_from: float) -> None:
        """`done` succeeds with the reply."""
        self.waiting = deque(papers)
        self.unfinished = len(papers)
        self.done = done
        self.created = created
        self.urgent_from = urgent_from
        self.number = 0
        self.cost_taken = 0


class Waiting:
    """Hands out the next paper of the oldest request if it is urgent, otherwise of the one with the lowest `rank`.

    `FairQueue` looks at every request, which is too slow for millions of papers; here the requests are in a heap,
    where only the entry with the present rank of a request is valid.
    """

    def __init__(self, ordinary_cost: int) -> None:
        self._ordinary_cost = ordinary_cost
        self.papers = 0
        self._by_rank: list[tuple[int, int, Request]] = []
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
        request = oldest if oldest.urgent_from <= now else self._lowest()
        paper = request.waiting.popleft()
        request.cost_taken += paper.units
        self.papers -= 1
        if request.waiting:
            self._push(request)
        return request, paper

    def withdraw(self, request: Request) -> None:
        """Drop the waiting papers of a request."""
        self.papers -= len(request.waiting)
        request.waiting.clear()

    def _push(self, request: Request) -> None:
        heapq.heappush(self._by_rank, (self._rank(request), request.number, request))

    def _rank(self, request: Request) -> int:
        return rank(request.cost_taken, request.waiting[0].units, self._ordinary_cost)

    def _lowest(self) -> Request:
        while True:
            pushed_with, _, request = heapq.heappop(self._by_rank)
            if request.waiting and self._rank(request) == pushed_with:
                return request
