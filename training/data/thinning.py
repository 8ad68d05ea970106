"""Draws fewer papers of common subjects and keeps those of rare ones."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def thinned(subjects: Sequence[frozenset[str]], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of the papers to keep, given the subjects of each paper.

    A paper is kept with the probability `most / n` of its rarest subject, where n is the number of papers that have
    this subject. About `most` papers of a common subject remain, more where it occurs together with rarer ones.
    """
    papers = Counter(subject for found in subjects for subject in found)
    chances = [max((most / papers[subject] for subject in found), default=1.0) for found in subjects]
    return np.flatnonzero(rng.random(len(subjects)) < np.array(chances))
