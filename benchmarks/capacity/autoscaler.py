"""The Kubernetes autoscaler: how many instances it wants, by the manifest in deploy/."""

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import simpy
import yaml  # type: ignore[import-untyped]

from benchmarks.capacity.fleet import Fleet

MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/base/autoscaler.yaml"
# Defaults of the controller: the interval of its loop, and the deviation that it tolerates.
_SYNC_S = 15
_TOLERANCE = 0.1


@dataclass(frozen=True)
class Autoscaling:
    """The figures of a HorizontalPodAutoscaler (autoscaling/v2)."""

    smallest: int
    largest: int
    queue_depth: float
    """Papers that wait, for each instance."""
    utilization: float
    """Of the requested processors."""
    growth: float
    """By which share of its size the fleet may grow within `growth_s`."""
    growth_s: float
    shrink_after_s: float
    shrink_s: float
    """Seconds between two instances that are stopped."""

    @classmethod
    def read(cls, path: Path = MANIFEST) -> Self:
        """Read the manifest, with the two metrics and the policies that it has."""
        spec = yaml.safe_load(path.read_text())["spec"]
        queue = next(metric["pods"] for metric in spec["metrics"] if metric["type"] == "Pods")
        processor = next(metric["resource"] for metric in spec["metrics"] if metric["type"] == "Resource")
        up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
        return cls(
            spec["minReplicas"], spec["maxReplicas"],
            float(queue["target"]["averageValue"]), processor["target"]["averageUtilization"] / 100,
            up["policies"][0]["value"] / 100, up["policies"][0]["periodSeconds"],
            down["stabilizationWindowSeconds"], down["policies"][0]["periodSeconds"],
        )  # fmt: skip


class Observation(NamedTuple):
    """Sums over all instances."""

    queue_depth: float
    """Papers that wait."""
    cores: float
    """Processors in use."""


class Autoscaler:
    """Resizes a fleet by metrics that are some seconds old."""

    def __init__(
        self, env: simpy.Environment, fleet: Fleet, policy: Autoscaling, requested_cores: float, metrics_delay_s: float
    ) -> None:
        self._env = env
        self._fleet = fleet
        self._policy = policy
        self._requested_cores = requested_cores
        # The newest last; the oldest is what the controller sees.
        self._observations = deque[Observation](maxlen=1 + math.ceil(metrics_delay_s / _SYNC_S))
        self._processor_s = 0.0
        # Sizes that were wanted, for the time in which the fleet does not shrink.
        self._wanted = deque[int](maxlen=math.ceil(policy.shrink_after_s / _SYNC_S))
        self._sizes = deque[int](maxlen=math.ceil(policy.growth_s / _SYNC_S))
        self._shrunk = env.now

    def run(self) -> simpy.events.ProcessGenerator:
        """The control loop, a process of the simulation."""
        while True:
            yield self._env.timeout(_SYNC_S)
            self._observations.append(self._observe())
            self._sizes.append(self._fleet.size)
            self._wanted.append(self.wanted(self._observations[0], self._fleet.size))
            self._resize()

    def wanted(self, seen: Observation, size: int) -> int:
        """The size at which the worst of the metrics would be on its target."""
        policy = self._policy
        needed = max(
            seen.queue_depth / policy.queue_depth, seen.cores / (policy.utilization * self._requested_cores)
        )  # fmt: skip
        if abs(needed / size - 1) <= _TOLERANCE:
            return size
        return max(policy.smallest, min(policy.largest, math.ceil(needed)))

    def _resize(self) -> None:
        wanted, size = self._wanted[-1], self._fleet.size
        if wanted > size:
            most = math.ceil(min(self._sizes) * (1 + self._policy.growth))
            self._fleet.resize(max(size, min(wanted, most)))
        elif max(self._wanted) < size and self._env.now - self._shrunk >= self._policy.shrink_s:
            self._shrunk = self._env.now
            self._fleet.resize(size - 1)

    def _observe(self) -> Observation:
        processor_s = sum(replica.processor_s for replica in self._fleet.replicas)
        used, self._processor_s = processor_s - self._processor_s, processor_s
        return Observation(sum(replica.queue_depth for replica in self._fleet.ready), used / _SYNC_S)
