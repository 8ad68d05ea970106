"""The points of the curves: papers a second of the service under one load."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.closed_loop import closed_loop
from benchmarks.peers.environment import prepare
from benchmarks.peers.peer import SERVICE, service
from benchmarks.peers.running import Running, running
from model_store.artefact import Artefact
from model_store.cpus import usable_cpus
from model_store.papers import Encoding, Paper

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
PIECES = (16, 32, 64, 128, 192, 256, 320)
BATCHES = (1, 4, 16, 64)
_USUAL_CLIENTS = 16
# Their batches together fit into the queue.
_BATCH_CLIENTS = 2
_WARM_UP_S = 1.0
_START_LIMIT_S = 30.0
_LOAD_EXIT_LIMIT_S = 20.0
# How much longer the loads of batches are: requests that are unfinished at the end do not count.
_BATCH_LOADS = 5
# Two separators and the token for the whole text.
_SPECIAL_PIECES = 3
# Titles and abstracts that are joined to texts of any length.
_TEXTS = 40


class Point(NamedTuple):
    """Papers a second where `axis` has this value and the others their defaults: abstracts, all cores, 16 clients."""

    axis: str
    value: int
    per_second: float
    errors: int


@dataclass(frozen=True)
class Measurement:
    """The service of one artefact, and what is sent to it."""

    artefact: Artefact
    papers: Sequence[Paper]
    environments: Path
    log: Path
    seconds: float
    """Of each load."""

    def all_axes(self) -> Iterator[Point]:
        """Cores, clients, word pieces, batches and labels."""
        yield from self.cores()
        with self._service() as server:
            for clients in CLIENTS:
                yield self._point(server, "clients", clients, self._abstracts(), clients)
            for pieces in self._lengths():
                yield self._point(server, "word pieces", pieces, self._bodies_of(pieces), _USUAL_CLIENTS)
            yield from self._batches(server)
            yield self._labels(server)

    def labels(self) -> Iterator[Point]:
        """Only the point of this artefact's number of labels."""
        with self._service() as server:
            yield self._labels(server)

    def loads(self) -> int:
        """How many loads `all_axes` puts on the service; those of batches count as often as they are longer."""
        return usable_cpus() + len(CLIENTS) + len(self._lengths()) + len(BATCHES) * _BATCH_LOADS + 1

    def cores(self) -> Iterator[Point]:
        """The service on one core, on two, and so on; the load generator may use all."""
        every = sorted(os.sched_getaffinity(0))[: usable_cpus()]
        for count in range(1, len(every) + 1):
            with self._service(every[:count]) as server:
                yield self._point(server, "cores", count, self._abstracts(), _USUAL_CLIENTS)

    def _labels(self, server: Running) -> Point:
        labels = len(self.artefact.manifest.labels)
        return self._point(server, "labels", labels, self._abstracts(), _USUAL_CLIENTS)

    def _batches(self, server: Running) -> Iterator[Point]:
        url = server.url + "/batch"
        papers = [{"title": paper.title, "abstract": paper.abstract} for paper in self.papers]
        for size in BATCHES:
            batches = (papers[i : i + size] for i in range(0, len(papers) - size + 1, size))
            bodies = [json.dumps({"papers": batch}).encode() for batch in batches]
            load = closed_loop(url, bodies, _BATCH_CLIENTS, self.seconds * _BATCH_LOADS)
            yield Point("papers in a request", size, size * load.per_second, load.errors)

    def _point(self, server: Running, axis: str, value: int, bodies: Sequence[bytes], clients: int) -> Point:
        load = closed_loop(server.url, bodies, clients, self.seconds)
        return Point(axis, value, load.per_second, load.errors)

    def _abstracts(self) -> list[bytes]:
        return [_body(paper) for paper in self.papers]

    def _lengths(self) -> list[int]:
        return [pieces for pieces in PIECES if pieces <= self.artefact.manifest.input.max_tokens]

    def _bodies_of(self, pieces: int) -> list[bytes]:
        """Texts of about this many word pieces, special ones included."""
        encode = self.artefact.classifier().encode
        words = " ".join(" ".join(paper) for paper in self.papers[:_TEXTS]).split()
        starts = range(0, len(words) - pieces, max(1, len(words) // _TEXTS))
        return [_body(text_of(words[start:], pieces, encode)) for start in starts]

    @contextmanager
    def _service(self, cores: Sequence[int] = ()) -> Iterator[Running]:
        manifest = self.artefact.manifest
        peer = service(SERVICE, self.artefact.folder.parents[1], manifest.name, manifest.version)
        place = prepare(self.environments, ())
        limit_s = _START_LIMIT_S + self.loads() * (self.seconds + _LOAD_EXIT_LIMIT_S)
        with ExitStack() as stack:
            with _on_cores(cores):
                started = running(peer, place, self.environments, self.papers[0], self.log, _START_LIMIT_S, limit_s)
                server = stack.enter_context(started)
            closed_loop(server.url, self._abstracts(), _USUAL_CLIENTS, _WARM_UP_S)
            yield server


@contextmanager
def _on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Processes that are started in the block run on these cores only; on all if none are given."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def text_of(words: Sequence[str], pieces: int, encode: Callable[[Sequence[Paper]], Sequence[Encoding]]) -> Paper:
    """The first of these words as an abstract, as many as the network reads as `pieces` word pieces."""
    # A word has one piece or more.
    count = pieces - _SPECIAL_PIECES
    while True:
        paper = Paper("", " ".join(words[:count]))
        (encoding,) = encode([paper])
        length = encoding.tokens + _SPECIAL_PIECES
        if length <= pieces or count == 1:
            return paper
        count = max(1, min(count - 1, count * pieces // length))


def _body(paper: Paper) -> bytes:
    return json.dumps({"title": paper.title, "abstract": paper.abstract}).encode()
