"""The instances and the balancer in front of them: starts, stops and failures."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from benchmarks.capacity.costs import PaperCost
from benchmarks.capacity.replica import Answering, Replica, Reply

# What HAProxy repeats on another instance: a lost or refused connection, and 503.
_REPEATED = (None, 503)


@dataclass(frozen=True)
class BalancerSettings:
    """As in deploy/balancer/haproxy.cfg."""

    retries: int = 3
    max_connections: int = 2000
    accept_timeout_s: float = 30.0
    """Until a client gives up a try that no connection is free for: `timeout_s` of the client."""
    connect_timeout_s: float = 2.0
    answer_timeout_s: float = 15.0
    silence_detected_s: float = 6.2
    """Until two checks in a row have failed on a machine that is gone: `timeout check` twice, `fastinter` between."""
    refusal_detected_s: float = 0.4
    """Until two checks in a row have failed on a port that is closed: `fastinter` twice."""
    least_connections: bool = True
    """Whether a request goes to the instance with the fewest; otherwise to all in turn."""


KUBERNETES_SERVICE = BalancerSettings(
    retries=0,
    max_connections=1_000_000,
    # Nothing stands between client and instance, so the client's own time-out applies.
    connect_timeout_s=30.0,
    answer_timeout_s=30.0,
    # The controller's node-monitor-grace-period, 40 s or 50 s by release.
    silence_detected_s=45.0,
    refusal_detected_s=1.0,
    least_connections=False,
)
"""A Service without a load balancer that checks the instances."""


class Fleet:
    """Instances in service, in the order of their start, and the balancer that sends requests to them."""

    def __init__(
        self, env: simpy.Environment, new_replica: Callable[[], Replica], replicas: int, start_s: float,
        balancer: BalancerSettings | None = None,
    ) -> None:  # fmt: skip
        """`start_s` passes between the decision to start an instance and its first request."""
        self._env = env
        self._new_replica = new_replica
        self._start_s = start_s
        self._balancer = balancer or BalancerSettings()
        self._connections = 0
        self._unaccepted = deque[simpy.Event]()
        self._turn = 0
        self._instance_s = 0.0
        self._changed = env.now
        self.ready = [new_replica() for _ in range(replicas)]
        self.starting = 0
        self.most_connections = 0
        self.replicas = list(self.ready)
        """All instances that there have been."""

    @property
    def size(self) -> int:
        """Instances that are paid for."""
        return len(self.ready) + self.starting

    def instance_hours(self) -> float:
        """How many instance hours were used so far."""
        return (self._instance_s + self.size * (self._env.now - self._changed)) / 3600

    def classify(self, papers: Sequence[PaperCost]) -> Answering:
        """Send a request to an instance, when a connection is free; to others if it fails there."""
        if not (yield from self._connect()):
            return Reply(None)
        reply = yield from self._balance(papers)
        if self._unaccepted:
            self._unaccepted.popleft().succeed()
        else:
            self._connections -= 1
        return reply

    def resize(self, wanted: int) -> None:
        """Start or stop instances; those that stop finish their work, and get no more."""
        self._account()
        for _ in range(wanted - self.size):
            self.starting += 1
            self._env.process(self._start())
        while self.size > wanted and len(self.ready) > 1:
            self.ready.pop()

    def kill_process(self) -> None:
        """Kill the busiest instance; the system starts it again."""
        self._fail(self._balancer.refusal_detected_s, lost_after_s=0.0)

    def lose_machine(self) -> None:
        """Lose the busiest instance with its machine, which stays silent; another instance is started elsewhere.

        The balancer sends requests there until it has detected the loss.
        """
        balancer = self._balancer
        self._fail(
            balancer.silence_detected_s,
            lost_after_s=balancer.connect_timeout_s,
            answer_after_s=balancer.answer_timeout_s,
        )

    def _connect(self) -> Generator[simpy.Event, Any, bool]:
        """Take a connection, or wait until another request passes its own on; False if that takes too long."""
        if self._connections < self._balancer.max_connections:
            self._connections += 1
            self.most_connections = max(self.most_connections, self._connections)
            return True
        accepted = self._env.event()
        self._unaccepted.append(accepted)
        yield accepted | self._env.timeout(self._balancer.accept_timeout_s)
        if not accepted.triggered:
            self._unaccepted.remove(accepted)
        return accepted.triggered

    def _balance(self, papers: Sequence[PaperCost]) -> Answering:
        failed: Replica | None = None
        for _ in range(1 + self._balancer.retries):
            replica = self._least_loaded(failed)
            if replica is None:
                break
            replica.open += 1
            reply = yield from replica.classify(papers)
            replica.open -= 1
            if reply.status not in _REPEATED:
                return reply
            failed = replica
        return Reply(503)

    def _fail(self, detected_s: float, *, lost_after_s: float, answer_after_s: float | None = None) -> None:
        replica = max(self.ready, key=lambda replica: replica.open)
        replica.fail(lost_after_s=lost_after_s, answer_after_s=answer_after_s)
        self._env.process(self._replace(replica, detected_s))

    def _replace(self, replica: Replica, detected_s: float) -> simpy.events.ProcessGenerator:
        yield self._env.timeout(detected_s)
        self._account()
        if replica in self.ready:
            self.ready.remove(replica)
            self.starting += 1
            yield from self._start()

    def _start(self) -> simpy.events.ProcessGenerator:
        yield self._env.timeout(self._start_s)
        self.starting -= 1
        replica = self._new_replica()
        self.ready.append(replica)
        self.replicas.append(replica)

    def _least_loaded(self, failed: Replica | None) -> Replica | None:
        """The instance with the fewest open requests, in turn among equals, and not the one that just failed."""
        best: Replica | None = None
        self._turn += 1
        count = len(self.ready)
        for i in range(count if self._balancer.least_connections else min(count, 1)):
            replica = self.ready[(self._turn + i) % count]
            if (best is None or replica.open < best.open) and (replica is not failed or count == 1):
                best = replica
        return best

    def _account(self) -> None:
        self._instance_s += self.size * (self._env.now - self._changed)
        self._changed = self._env.now
