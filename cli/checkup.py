"""Checks whether an artefact is intact and gives the recorded answers on this machine, and how fast it is."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cli.parallel import in_order
from model_store.classifier import Classifier
from model_store.errors import ModelStoreError
from model_store.papers import Paper
from model_store.store import Artefact


@dataclass(frozen=True)
class IntactArtefact:
    """An artefact whose files are as they were published."""

    name: str
    version: str
    sha256: str
    files: dict[str, int]
    """Verified bytes by name."""


@dataclass(frozen=True)
class Replay:
    """The golden papers, scored on this machine."""

    papers: int
    largest_difference: float
    tolerance: float


@dataclass(frozen=True)
class Speed:
    """How fast the golden papers are scored."""

    threads: int
    papers_per_s: float
    ms_alone: float


@dataclass(frozen=True)
class Checkup:
    """The results of the checks up to the first that failed; `wrong` is its error message."""

    artefact: IntactArtefact | None = None
    golden: Replay | None = None
    speed: Speed | None = None
    wrong: str | None = None


def check_up(
    open_artefact: Callable[[], Artefact], threads: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Checkup:
    """Check the files, then the golden papers, then the speed; each only if the one before it is fine."""
    intact = replay = None
    try:
        artefact = open_artefact()
        intact = _intact(artefact)
        golden = artefact.golden()
        classifier = artefact.classifier()
        replay = Replay(len(golden.papers), golden.replay(classifier), golden.tolerance)
    except ModelStoreError as error:
        return Checkup(intact, replay, wrong=str(error))
    papers = [each.paper for each in golden.papers]
    return Checkup(intact, replay, measure(classifier, papers, threads, seconds, clock))


def measure(
    classifier: Classifier, papers: Sequence[Paper], threads: int, seconds: float, clock: Callable[[], float]
) -> Speed:
    """Papers a second side by side, then milliseconds of one alone, for about `seconds` together."""
    began = clock()
    done = sum(1 for _ in in_order(_scored(classifier), _until(papers, began + seconds * 0.8, clock), threads))
    side_by_side = done / (clock() - began)
    began = clock()
    alone = sum(1 for paper in _until(papers, began + seconds * 0.2, clock) if len(classifier.scores([paper])))
    return Speed(threads, side_by_side, 1000 * (clock() - began) / alone)


def _intact(artefact: Artefact) -> IntactArtefact:
    manifest = artefact.manifest
    files = {name: len(content) for name, content in artefact.files.items()}
    return IntactArtefact(manifest.name, manifest.version, artefact.sha256, files)


def _scored(classifier: Classifier) -> Callable[[Paper], object]:
    return lambda paper: classifier.scores([paper])


def _until(papers: Sequence[Paper], end: float, clock: Callable[[], float]) -> Iterator[Paper]:
    """The papers again and again until `end`, each at least once."""
    for i, paper in enumerate(itertools.cycle(papers)):
        if i >= len(papers) and clock() >= end:
            return
        yield paper
