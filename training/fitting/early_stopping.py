"""The metric of early stopping."""

import numpy as np
from numpy.typing import NDArray

# Thresholds to try, in steps of 0.01.
_CUTS = np.linspace(0.1, 0.9, 81)


def micro_f1_at_best_cut(targets: NDArray[np.floating], scores: NDArray[np.floating]) -> float:
    """Micro-F1 over all papers and labels at the best single threshold; both of shape (papers, labels).

    Counted here, because scikit-learn takes a single column for a binary task, of which its micro
    average is the accuracy: on a screening table with few relevant papers it begins near 1 and is
    uninformative.
    """
    truth = targets > 0
    best = 0.0
    for cut in _CUTS:
        decisions = scores >= cut
        total = int(truth.sum()) + int(decisions.sum())
        if total:
            best = max(best, 2 * int((truth & decisions).sum()) / total)
    return best
