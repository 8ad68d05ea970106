"""Label noise: how often nearly the same text is labelled differently, which no classifier can predict.

    python -m benchmarks.label_noise training/configs/full.toml ../shared/data/arxiv_metadata.parquet

Parts of a series, extended versions and reposted papers share much of their text. Such pairs are found by sketches of
their word sequences (Broder 1997) and taken as two annotations of one text. The micro-F1 of the labels of one against
those of the other is that of a classifier which predicts one annotator's choice exactly. If both annotators err
independently, a classifier that knows the truth reaches about half way from there to 1.
"""

import argparse
import re
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.papers import Paper
from training.config import read_config
from training.data.labelled_file import LabelledFile

# Words of a sequence that are compared as one; hashes of a paper's sketch, and how many a pair must share.
_WORDS = 4
_SKETCH = 8
_SHARED = 2
# A sequence of more papers than this is boilerplate.
_MOST_PAPERS = 40
# Similarities from which a pair counts, each a row of the table.
_SIMILARITIES = (0.2, 0.4, 0.6, 0.8)

Hashes = NDArray[np.uint64]


class Pair(NamedTuple):
    """Two papers with much the same text."""

    first: int
    second: int
    similarity: float
    """Jaccard index of their word sequences."""


class Agreement(NamedTuple):
    """How two annotations of the same texts agree."""

    pairs: int
    same: float
    """Share of pairs with equal sets."""
    micro_f1: float
    """Of one annotation against the other."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the run whose [data.categories] are the labels")
    parser.add_argument("papers", type=Path, help="a table with arXiv's categories")
    options = parser.parse_args(arguments)
    config, _ = read_config(options.config)
    papers = list(tqdm(LabelledFile(options.papers, config.data, "categories"), "papers", unit="paper", mininterval=5))
    pairs = find_pairs([paper.paper for paper in papers])
    print(f"{len(papers)} papers, {len(pairs)} pairs of similar texts\n")
    print(
        "| similarity at least | pairs | same labels | micro-F1 of labels | same categories | micro-F1 of categories |"
    )
    print("|---|---|---|---|---|---|")
    for least in _SIMILARITIES:
        close = [pair for pair in pairs if pair.similarity >= least]
        labels = agreement(close, [paper.labels for paper in papers])
        categories = agreement(close, [paper.categories or frozenset() for paper in papers])
        print(
            f"| {least} | {labels.pairs} | {labels.same:.1%} | {labels.micro_f1:.3f} "
            f"| {categories.same:.1%} | {categories.micro_f1:.3f} |"
        )
    return 0


def find_pairs(papers: Sequence[Paper]) -> list[Pair]:
    """Pairs whose sketches share sequences of words, with the similarity of the whole texts; equal texts included."""
    groups: dict[int, list[int]] = defaultdict(list)
    for number, paper in enumerate(papers):
        for value in np.sort(sequences(paper))[:_SKETCH].tolist():
            groups[value].append(number)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for group in groups.values():
        if len(group) <= _MOST_PAPERS:
            for pair in combinations(group, 2):
                shared[pair] += 1
    return list(_measured(papers, (pair for pair, count in shared.items() if count >= _SHARED)))


def _measured(papers: Sequence[Paper], pairs: Iterable[tuple[int, int]]) -> Iterator[Pair]:
    for first, second in pairs:
        one, other = sequences(papers[first]), sequences(papers[second])
        common = len(np.intersect1d(one, other, assume_unique=True))
        yield Pair(first, second, common / (len(one) + len(other) - common))


def sequences(paper: Paper) -> Hashes:
    """A hash of every sequence of four words, each once; of all words together if there are fewer."""
    words = re.findall(r"\w+", f"{paper.title} {paper.abstract}".lower())
    numbers = np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)
    width = min(_WORDS, len(numbers))
    if not width:
        return numbers
    total = np.zeros(len(numbers) - width + 1, dtype=np.uint64)
    for start in range(width):
        total = total * np.uint64(0x9E3779B97F4A7C15) + numbers[start : start + len(total)]
    # Mixed, so that the smallest hashes are a random choice (the last step of MurmurHash3).
    total ^= total >> np.uint64(33)
    total *= np.uint64(0xFF51AFD7ED558CCD)
    return np.unique(total ^ (total >> np.uint64(33)))


def agreement(pairs: Sequence[Pair], annotations: Sequence[frozenset[str]]) -> Agreement:
    """How the annotations of the first papers agree with those of the second."""
    sets = [(annotations[pair.first], annotations[pair.second]) for pair in pairs]
    total = sum(len(one) + len(other) for one, other in sets)
    if not total:
        return Agreement(len(sets), 0.0, 0.0)
    same = sum(one == other for one, other in sets) / len(sets)
    return Agreement(len(sets), same, 2 * sum(len(one & other) for one, other in sets) / total)


if __name__ == "__main__":
    sys.exit(main())
