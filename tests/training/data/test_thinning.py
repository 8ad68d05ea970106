"""Thinning keeps rare subjects whole and draws of common ones."""

import numpy as np

from training.data.thinning import thinned


def test_rare_subjects_stay_whole_and_common_ones_shrink_to_about_the_number_asked_for() -> None:
    subjects = [frozenset({"common"})] * 5000 + [frozenset({"rare"})] * 40 + [frozenset({"common", "rare"})] * 10
    kept = thinned(subjects, 500, np.random.default_rng(1))
    assert set(range(5000, 5050)) <= set(kept.tolist())
    assert 430 < len(kept) - 50 < 570


def test_papers_without_any_subject_are_kept() -> None:
    assert thinned([frozenset(), frozenset({"a"})], 5, np.random.default_rng(1)).tolist() == [0, 1]
