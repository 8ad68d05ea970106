"""Papers a second of an artefact's graph in a bare loop, beside those of another artefact.

    python -m benchmarks.graph ARTEFACT OTHER papers.csv
    python -m benchmarks.graph arxiv-subjects model_store/artefacts/1.2.0 ../shared/data/papers_test.csv.gz

ARTEFACT and OTHER are folders, or NAME or NAME/VERSION in the store. Prints a Markdown table: a row for each number of
threads within a run and of callers side by side. Both artefacts take turns, in each round on the same papers, so that a
drift of the machine's speed affects both. The ratio is the median over rounds.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.settings import Settings
from model_store.artefact import Artefact
from model_store.classifier import Classifier
from model_store.cpus import usable_cpus
from model_store.papers import Encoding, Paper
from model_store.store import Store
from tables import read
from tables.known_columns import find_column
from training.evaluation.evaluate import open_artefact


class Rates(NamedTuple):
    """Papers a second of each round, first of the artefact, then of the other."""

    threads: int
    callers: int
    own: list[float]
    other: list[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    store = Store(options.store)
    artefacts = [open_artefact(name, store) for name in (options.artefact, options.other)]
    papers = read_papers(options.papers)[: options.count]
    print("| threads in a run | callers | papers/s | papers/s, other | ratio |\n|---|---|---|---|---|")
    for threads in options.threads:
        for callers in options.callers:
            rates = measure(artefacts, papers, threads, callers, options.rounds)
            own, other = float(np.median(rates.own)), float(np.median(rates.other))
            ratio = float(np.median(np.array(rates.own) / rates.other))
            print(f"| {threads} | {callers} | {own:.1f} | {other:.1f} | {ratio:.2f} |", flush=True)


def measure(artefacts: Sequence[Artefact], papers: Sequence[Paper], threads: int, callers: int, rounds: int) -> Rates:
    """Rates of two artefacts that take turns, in each round on another part of the papers."""
    classifiers = [artefact.classifier(threads) for artefact in artefacts]
    encodings = [classifier.encode(papers) for classifier in classifiers]
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for classifier, encoded, found in zip(classifiers, encodings, rates, strict=True):
            # The first runs of a session are slower, since it allocates its memory then.
            classifier.predict(encoded[number])
            found.append(_rate(classifier, encoded[number::rounds], callers))
    return Rates(threads, callers, *rates)


def _rate(classifier: Classifier, encodings: Sequence[Encoding], callers: int) -> float:
    """Papers a second with as many callers, each of which takes the next paper when it has the last result."""
    with ThreadPoolExecutor(callers) as pool:
        start = time.perf_counter()
        for _ in pool.map(classifier.predict, encodings):
            pass
        return len(encodings) / (time.perf_counter() - start)


def read_papers(path: Path) -> list[Paper]:
    """Papers of a table with their real titles and abstracts."""
    rows = [row.cells for row in read(path)]
    title, abstract = find_column(rows[0], "title"), find_column(rows[0], "abstract")
    return [Paper(str(row.get(title or "") or ""), str(row.get(abstract or "") or "")) for row in rows]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artefact", help="an artefact's folder, or NAME or NAME/VERSION in the store")
    parser.add_argument("other", help="the one to compare it with")
    parser.add_argument("papers", type=Path, help="a table with titles and abstracts")
    parser.add_argument("--store", type=Path, default=Settings().artefacts, help="default: the bundled one")
    parser.add_argument("--count", type=int, default=300, help="papers of the table to score (default: %(default)s)")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    every = sorted({1, usable_cpus()})
    parser.add_argument("--threads", type=int, nargs="+", default=every, help=f"within a run (default: {every})")
    parser.add_argument("--rounds", type=int, default=6, help="that share out the papers (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
