"""The settings of the engine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineOptions:
    """Sizes and times of one engine; times in seconds.

    `max_queue` counts papers, `max_queue_tokens` their estimated cost (see `admission.cost_of`).
    `max_papers` is the largest batch: a batch of that many papers of the artefact's greatest length
    always fits into the empty queue, whatever the value of `max_queue_tokens`.
    """

    threads: int
    max_papers: int
    max_queue: int
    max_queue_tokens: int
    request_timeout_s: float
    drain_timeout_s: float
    stall_timeout_s: float
    probe_interval_s: float
    ready_window_s: float
    live_window_s: float
