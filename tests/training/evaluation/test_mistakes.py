"""mistakes.csv is safe to open in a spreadsheet."""

import csv
from pathlib import Path

import numpy as np

from model_store.labels import Label
from model_store.papers import Paper
from training.data.papers import LabelledPaper
from training.evaluation.mistakes import write_mistakes
from training.evaluation.predictions import Predictions


def test_no_cell_of_the_mistakes_is_a_formula(tmp_path: Path) -> None:
    paper = LabelledPaper(Paper("=HYPERLINK(1)", ""), frozenset(), "", None, "@SUM(1)", 1)
    predictions = Predictions(
        truth=np.array([[False]]), scores=np.array([[0.9]], dtype=np.float32), decisions=np.array([[True]]),
        statuses=np.array(["ok"]), tokens=np.array([1]), truncated=np.array([False]),
    )  # fmt: skip
    assert write_mistakes(tmp_path / "m.csv", [paper], predictions, [Label(id="a", name="-A", threshold=0.5)]) == 1
    with (tmp_path / "m.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row.values()) == ["1", "'@SUM(1)", "'-A", "0", "0.9000", "'=HYPERLINK(1)"]
