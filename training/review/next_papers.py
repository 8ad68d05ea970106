"""Papers without labels that a person should label next."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from model_store.papers import Paper

# This many times the requested number of papers are compared with each other; the others are too certain.
_CANDIDATES = 10
# Hashed words: collisions among so many are rare, and no vocabulary has to be fitted.
_FEATURES = 2**16


def expected_errors(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """How many wrong labels a paper would get on average, shape (papers,) from probabilities (papers, labels).

    The better decision on a label of probability p is wrong with min(p, 1 - p): uncertainty sampling
    (Lewis and Gale 1994), summed over labels.
    """
    return np.asarray(np.minimum(scores, 1 - scores).sum(axis=1), dtype=np.float64)


def most_worth_labelling(papers: Sequence[Paper], scores: NDArray[np.floating], count: int) -> list[int]:
    """Indices of `count` papers, the most useful first: uncertain ones, and different from those before them.

    Uncertain papers come in groups of near-duplicates that teach the same; each paper's uncertainty is
    lowered by its similarity (cosine of word counts) to those chosen already, as in maximal marginal
    relevance (Carbonell and Goldstein 1998).
    """
    uncertain = expected_errors(scores)
    candidates = np.argsort(-uncertain, kind="stable")[: count * _CANDIDATES]
    vectorizer = HashingVectorizer(n_features=_FEATURES, stop_words="english", alternate_sign=False)
    words = vectorizer.transform([" ".join(papers[i]) for i in candidates])
    similarity = np.zeros(len(candidates))
    left = np.ones(len(candidates), dtype=np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(count, len(candidates)):
        worth = np.where(left, uncertain[candidates] * (1 - similarity), -1)
        best = int(worth.argmax())
        left[best] = False
        chosen.append(int(candidates[best]))
        similarity = np.maximum(similarity, np.clip((words @ words[best].T).toarray()[:, 0], 0, 1))
    return chosen
