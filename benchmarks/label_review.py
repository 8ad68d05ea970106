"""How many labels flipped on purpose `training review` finds among its first hundred.

    python -m benchmarks.label_review ../shared/data/papers_train.csv.gz
    python -m benchmarks.label_review ../shared/data/papers_train.csv.gz --quick

One label in a hundred is flipped, seeded: papers lose a label that they have as often as they get one that they do
not have. Errors that the file already had count as not found, so the figures are a lower bound.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.corpus import read_papers
from training.data.folds import folds
from training.data.papers import Papers
from training.evaluation.baseline import probabilities
from training.review.label_errors import likely_errors

_QUICK = 3000


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", type=Path, help="labelled papers")
    parser.add_argument("--share", type=float, default=0.01, help="of labels flipped (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help=f"the first {_QUICK} papers")
    options = parser.parse_args(arguments)
    _, papers = read_papers(options.papers)
    if options.quick:
        papers = papers.subset(np.arange(_QUICK))
    flipped = flips(papers.targets > 0, options.share, np.random.default_rng(options.seed))
    given = (papers.targets > 0) ^ flipped
    errors = likely_errors(given, _scores(Papers(papers.papers, given.astype(np.float32)), options.seed))
    print(f"{len(papers)} papers, {int(flipped.sum())} labels flipped, {len(errors)} suspicious")
    for first in (100, 200, 400, len(errors)):
        found = sum(bool(flipped[error.paper, error.label]) for error in errors[:first])
        print(f"of the first {first:5}: {found:4} flipped ({found / first:.0%})")
    return 0


def flips(labels: NDArray[np.bool_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which labels to flip, as many present as absent ones; shape (papers, labels)."""
    chosen = np.zeros(labels.size, dtype=np.bool_)
    for value in (True, False):
        places = np.flatnonzero(labels.ravel() == value)
        chosen[rng.choice(places, round(share * labels.size / 2), replace=False)] = True
    return chosen.reshape(labels.shape)


def _scores(papers: Papers, seed: int) -> NDArray[np.float32]:
    scores = np.empty_like(papers.targets)
    for others, own in folds(len(papers), seed):
        scores[own] = probabilities(papers.subset(others), papers.subset(own).papers)
    return scores


if __name__ == "__main__":
    sys.exit(main())
