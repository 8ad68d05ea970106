"""Clients that retry as the project's own client does, and what they experienced."""

import random
from array import array
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import simpy

from benchmarks.capacity.costs import PaperCost
from benchmarks.capacity.fleet import Fleet
from client import Retries


class Outcomes:
    """The outcomes of all requests of one kind."""

    def __init__(self) -> None:
        self.requests = 0
        self.answered = 0
        self.given_up = 0
        self.papers = 0
        """Of answered requests."""
        self.replies = 0
        self.rejections = 0
        """Replies with status 429."""
        self.asked_at = array("d")
        self.seconds = array("d")
        """Of the answered requests: when the first try was sent, and how long the answer took, pauses included."""

    @property
    def in_flight(self) -> int:
        """Requests that are neither answered nor given up."""
        return self.requests - self.answered - self.given_up


class Arrival(NamedTuple):
    """A request to be sent, seconds after the start of the simulation or since midnight."""

    at: float
    papers: Sequence[PaperCost]


class Clients:
    """Send requests to a fleet and repeat them as `Retries` says."""

    def __init__(self, env: simpy.Environment, fleet: Fleet, retries: Retries, chance: random.Random) -> None:
        self._env = env
        self._fleet = fleet
        self._retries = retries
        self._chance = chance
        self.outcomes = Outcomes()

    def send_all(self, arrivals: Iterator[Arrival]) -> simpy.events.ProcessGenerator:
        """Send each request when it is due, whatever has been answered; a process of the simulation."""
        for arrival in arrivals:
            yield self._env.timeout(arrival.at - self._env.now)
            self._env.process(self.ask(arrival.papers))

    def send_in_turn(self, requests: Iterator[Sequence[PaperCost]]) -> simpy.events.ProcessGenerator:
        """Send a request when the one before is answered; several such processes may share the iterator."""
        for papers in requests:
            yield from self.ask(papers)

    def ask(self, papers: Sequence[PaperCost]) -> Generator[simpy.Event, Any, None]:
        """Send one request until it is answered or the retries are spent."""
        outcomes, began, tried = self.outcomes, self._env.now, 0
        outcomes.requests += 1
        while True:
            reply = yield from self._fleet.classify(papers)
            tried += 1
            outcomes.replies += 1
            if reply.status == 200:
                outcomes.answered += 1
                outcomes.papers += len(papers)
                outcomes.asked_at.append(began)
                outcomes.seconds.append(self._env.now - began)
                return
            outcomes.rejections += reply.status == 429
            spent_s = self._env.now - began
            pause = self._retries.pause(tried, spent_s, reply.retry_after_s, self._chance.random())
            if pause is None or not self._retries.covers(reply.status):
                outcomes.given_up += 1
                return
            yield self._env.timeout(pause)
