"""One turn of a peer: the measurements of a server, or of a network in a loop without a server."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from benchmarks.peers.closed_loop import closed_loop
from benchmarks.peers.environment import ROOT, environ
from benchmarks.peers.load import Load, load_of
from benchmarks.peers.open_loop import open_loop
from benchmarks.peers.plan import CLIENTS, REQUEST_TIMEOUT_S, SETTLE_S, TITLE_CLIENTS, WARM_UP_S, Plan
from benchmarks.peers.running import Running, peak_memory
from model_store.labels import Label
from model_store.papers import Paper
from training.data.papers import Papers
from training.evaluation.metrics import micro_f1

_CLIENTS_FOR_ANSWERS = 4
# A peer keeps up with a rate if it answers this share of the requests.
_KEEPS_UP = 0.95

Turn = dict[str, Any]
Scores = Mapping[str, float]


class Sample(NamedTuple):
    """Labelled papers, and the labels of the artefact."""

    papers: Papers
    labels: tuple[str, ...]
    """In the order of the papers' targets."""
    thresholds: Mapping[str, float]

    @classmethod
    def of(cls, papers: Papers, labels: tuple[str, ...], known: Sequence[Label]) -> "Sample":
        """Papers with their labels, and the labels that the artefact knows."""
        return cls(papers, labels, {label.name: label.threshold for label in known})

    def micro_f1(self, scores: Mapping[int, Scores]) -> float:
        """Of the scores received, by the papers' positions, decided by the artefact's thresholds."""
        rows = sorted(scores)
        decided = [[scores[row].get(label, 0.0) >= self.thresholds[label] for label in self.labels] for row in rows]
        return micro_f1(self.papers.targets[rows] > 0, np.array(decided)) if rows else float("nan")


def measure_server(server: Running, sample: Sample, plan: Plan) -> Turn:
    """All loads on a server that has answered once."""
    papers = sample.papers.papers[: plan.sample]
    bodies = [server.peer.request(paper) for paper in papers]
    titles = [server.peer.request(Paper(paper.title)) for paper in papers]
    at_start = server.resident_megabytes()
    # If the answers are of another kind, this fails now rather than after minutes of load.
    _scores(server, papers[:1], plan.answers_s)
    closed_loop(server.url, bodies, 1, WARM_UP_S)
    with peak_memory(server) as memory:
        closed = {clients: _closed(server, bodies, clients, plan) for clients in CLIENTS}
        closed_titles = {clients: _closed(server, titles, clients, plan) for clients in TITLE_CLIENTS}
        scores = _scores(server, papers[: plan.answers], plan.answers_s)
        open_ = dict(_open(server, bodies, plan))
    return {
        "first_answer_s": server.first_answer_s,
        "resident_at_start_mb": at_start,
        "resident_mb": max(memory),
        "closed": {clients: load._asdict() for clients, load in closed.items()},
        "titles": {clients: load._asdict() for clients, load in closed_titles.items()},
        "open": {rate: load._asdict() for rate, load in open_.items()},
        "micro_f1": sample.micro_f1(scores),
        "answers": len(scores),
    }


def _closed(server: Running, bodies: Sequence[bytes], clients: int, plan: Plan) -> Load:
    load = closed_loop(server.url, bodies, clients, plan.seconds)
    # The load ends while requests are still being answered, which would slow down the next load.
    with _client(SETTLE_S) as client, suppress(httpx.HTTPError):
        client.post(server.url, content=bodies[0])
    return load


def _open(server: Running, bodies: Sequence[bytes], plan: Plan) -> Iterator[tuple[float, Load]]:
    for rate in sorted(plan.rates):
        load = open_loop(server.url, bodies, rate, plan.seconds, REQUEST_TIMEOUT_S)
        yield rate, load
        if load.per_second < _KEEPS_UP * rate:
            return


def _scores(server: Running, papers: Sequence[Paper], limit_s: float) -> dict[int, Scores]:
    """The scores of the papers that are answered within the limit, by their positions.

    Raises LookupError, TypeError or ValueError if an answer is of another kind than the peer's description says.
    """
    until = time.monotonic() + limit_s
    with _client(REQUEST_TIMEOUT_S) as client, ThreadPoolExecutor(_CLIENTS_FOR_ANSWERS) as pool:

        def score(paper: Paper) -> Scores | None:
            if time.monotonic() > until:
                return None
            try:
                answer = client.post(server.url, content=server.peer.request(paper)).raise_for_status()
            except httpx.HTTPError:
                return None
            return server.peer.scores(answer.json())

        return {i: scores for i, scores in enumerate(pool.map(score, papers)) if scores is not None}


@contextmanager
def _client(timeout_s: float) -> Iterator[httpx.Client]:
    headers = {"Content-Type": "application/json"}
    with httpx.Client(verify=False, trust_env=False, timeout=timeout_s, headers=headers) as client:  # noqa: S501
        yield client


def measure_loop(artefact: Path, place: Path, sample: Sample, plan: Plan, threads: int) -> Turn:
    """A network in a loop of one caller and of as many as there are threads; see `benchmarks.peers.bare`.

    Raises subprocess.CalledProcessError or TimeoutExpired.
    """
    papers = sample.papers.papers[: max(plan.sample, plan.answers)]
    command = [str(place / "bin/python"), "-m", "benchmarks.peers.bare", str(artefact)]
    start = time.time()
    output = subprocess.run(
        [*command, str(threads), f"{plan.seconds:g}", str(plan.answers)],
        cwd=ROOT,
        env=environ(place, {}),
        input=json.dumps(papers),
        capture_output=True,
        text=True,
        check=True,
        timeout=plan.loop_limit_s(),
    ).stdout
    found = json.loads(output)
    scores = (dict(zip(sample.thresholds, row, strict=True)) for row in found["scores"])
    return {
        "first_answer_s": found["first_answer"] - start,
        "resident_at_start_mb": found["resident_at_start_mb"],
        "resident_mb": found["resident_mb"],
        **{
            name: {callers: load_of(latencies, plan.seconds)._asdict() for callers, latencies in found[name].items()}
            for name in ("closed", "titles")
        },
        "open": {},
        "micro_f1": sample.micro_f1(dict(enumerate(scores))),
        "answers": len(found["scores"]),
    }
