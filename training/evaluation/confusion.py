"""Which label an artefact assigns instead of, or in addition to, the right one."""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.predictions import Predictions
from training.evaluation.schemas import Confusion


def confusion(predictions: Predictions) -> Confusion:
    """Count papers by right and wrongly assigned labels; see `Confusion`."""
    truth, given = predictions.truth, predictions.decisions
    missed, found, wrongly = truth & ~given, truth & given, given & ~truth
    return Confusion(
        instead=_together(missed, wrongly),
        besides=_together(found, wrongly),
        missed=missed.sum(axis=0).tolist(),
        missed_for_nothing=missed[~wrongly.any(axis=1)].sum(axis=0).tolist(),
        together_true=_together(truth, truth),
        together_given=_together(given, given),
    )


def _together(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> list[list[int]]:
    """Numbers of papers with a label of `rows` and one of `columns`, shape (labels, labels)."""
    counts: list[list[int]] = (rows.T.astype(int) @ columns.astype(int)).tolist()
    return counts
