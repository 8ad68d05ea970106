"""Figures of quality, against scikit-learn's and by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model_store.labels import Label
from training.evaluation.metrics import headline, interval, micro_f1, quality

LABELS = [Label(id="a", name="A", threshold=0.5), Label(id="b", name="B", threshold=0.3)]


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = (rng.random((120, 2)) < 0.4).astype(np.float32)
    return targets, (targets * 0.5 + rng.random((120, 2)) * 0.5).astype(np.float32)


def test_micro_f1_is_that_of_scikit_learn() -> None:
    targets, scores = drawn()
    assert micro_f1(targets > 0, scores > 0.4) == pytest.approx(f1_score(targets, scores > 0.4, average="micro"))


def test_nothing_to_find_and_nothing_found_is_no_division_by_zero() -> None:
    nothing = np.zeros((3, 2), dtype=bool)
    assert micro_f1(nothing, nothing) == 0.0


def test_every_label_decides_by_its_own_threshold() -> None:
    targets, scores = drawn()
    found = quality(targets, scores, LABELS, np.zeros(120, dtype=bool), seed=1)
    assert found.per_label["b"].f1 == pytest.approx(f1_score(targets[:, 1], scores[:, 1] >= 0.3))
    assert found.per_label["a"].support == int(targets[:, 0].sum())
    assert found.micro_f1 == headline(targets, scores, [0.5, 0.3])["micro_f1"]
    assert found.mean_average_precision == headline(targets, scores, [0.5, 0.3])["mean_average_precision"]


def test_papers_without_abstract_are_decided_by_thresholds_of_titles() -> None:
    targets, scores = drawn()
    labels = [label.model_copy(update={"title_threshold": 0.6}) for label in LABELS]
    title_only = np.arange(120) < 50
    given = scores >= np.where(title_only[:, None], 0.6, [0.5, 0.3])
    found = quality(targets, scores, labels, title_only, seed=1)
    assert found.micro_f1 == pytest.approx(f1_score(targets, given, average="micro"))


def test_an_interval_holds_its_figure_and_is_seeded() -> None:
    targets, scores = drawn()
    truth, decisions = targets > 0, scores > 0.4
    low, high = interval(truth, decisions, micro_f1, np.random.default_rng(1))
    assert low < micro_f1(truth, decisions) < high
    assert (low, high) == interval(truth, decisions, micro_f1, np.random.default_rng(1))
