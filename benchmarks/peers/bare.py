"""A network in a loop, without a server.

    python -m benchmarks.peers.bare ARTEFACT THREADS SECONDS ANSWERS < papers.json

Standard input is a JSON array of titles and abstracts. Each load lasts SECONDS; the first ANSWERS papers are scored at
the end. Writes one line of JSON. It runs in the service's own environment, which has none of the other packages of
`benchmarks`.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

from model_store.artefact import Artefact
from model_store.classifier import Classifier
from model_store.papers import Paper

_RUNS_TO_WARM_UP = 20


def main(folder: str, threads: str, seconds: str, answers: str) -> None:
    """Loads of one caller and of as many as there are threads, with abstracts and with titles alone."""
    papers = [Paper(*texts) for texts in json.load(sys.stdin)]
    # As in the service: a single paper uses all cores, and several papers share them.
    classifier = Artefact(Path(folder)).classifier(int(threads))
    classifier.classify(papers[0])
    first_answer, resident_at_start = time.time(), resident_megabytes()
    for paper in papers[:_RUNS_TO_WARM_UP]:
        classifier.classify(paper)
    loads = {
        name: {callers: _latencies(classifier, texts, callers, float(seconds)) for callers in {1, int(threads)}}
        for name, texts in (("closed", papers), ("titles", [Paper(paper.title) for paper in papers]))
    }
    found = {
        "first_answer": first_answer,
        "resident_at_start_mb": resident_at_start,
        "resident_mb": resident_megabytes(),
        "scores": classifier.scores(papers[: int(answers)]).tolist(),
    }
    print(json.dumps(found | loads))


def resident_megabytes() -> float:
    """Memory of this process; shared pages count in proportion."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def _latencies(classifier: Classifier, papers: Sequence[Paper], callers: int, seconds: float) -> list[float]:
    """Seconds of each paper while this many callers each score one paper after another."""
    waiting = cycle(papers)
    until = time.perf_counter() + seconds

    def call(_: int) -> list[float]:
        taken, start = [], time.perf_counter()
        while start < until:
            classifier.classify(next(waiting))
            taken.append(time.perf_counter() - start)
            start = time.perf_counter()
        return taken

    with ThreadPoolExecutor(callers) as pool:
        return [one for found in pool.map(call, range(callers)) for one in found]


if __name__ == "__main__":
    main(*sys.argv[1:])
