"""The metric of early stopping."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.fitting.early_stopping import micro_f1_at_best_cut


def test_the_best_single_threshold_is_found() -> None:
    targets = np.eye(3, dtype=np.float32)
    assert micro_f1_at_best_cut(targets, targets * 0.8 + 0.1) == 1.0


def test_it_agrees_with_scikit_learn_on_several_labels() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((200, 4)) < 0.3).astype(np.float32)
    scores = np.clip(targets * 0.3 + rng.random(targets.shape) * 0.7, 0, 1)
    cuts = np.linspace(0.1, 0.9, 81)
    expected = max(f1_score(targets, scores >= cut, average="micro", zero_division=0) for cut in cuts)
    assert micro_f1_at_best_cut(targets, scores) == pytest.approx(expected)


def test_a_single_label_is_measured_by_its_f1_and_not_by_accuracy() -> None:
    targets = np.zeros((100, 1), dtype=np.float32)
    targets[:5] = 1
    assert micro_f1_at_best_cut(targets, np.full((100, 1), 0.05)) == 0.0
    assert micro_f1_at_best_cut(targets, targets * 0.9) == 1.0
