"""Wrong labels, the most confident first: where the model is confident, the label itself is often wrong."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_store.labels import Label
from tables.formulas import neutralized
from training.data.papers import LabelledPaper
from training.evaluation.predictions import Predictions

_COLUMNS = ("row", "id", "label", "given", "score", "title")


def write_mistakes(
    path: Path, papers: Sequence[LabelledPaper], predictions: Predictions, labels: Sequence[Label]
) -> int:
    """Write one line per wrong label and return how many there are.

    `given` is the label in the file, `score` the probability; the larger their distance, the more
    confident the mistake (self-confidence of Northcutt et al. 2021, section 3).
    """
    rows, columns = np.nonzero(predictions.truth != predictions.decisions)
    distance = np.abs(predictions.scores[rows, columns] - predictions.truth[rows, columns])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for i in np.argsort(-distance, kind="stable"):
            paper, column = papers[rows[i]], columns[i]
            given, score = int(predictions.truth[rows[i], column]), predictions.scores[rows[i], column]
            title = paper.paper.title
            cells = [paper.id, labels[column].name, str(given), f"{score:.4f}", title]
            writer.writerow([paper.row, *map(neutralized, cells)])
    return len(rows)
