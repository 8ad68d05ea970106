"""Thresholds and the uncertain rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from model_store.labels import Label, assigned, decide, log_odds
from training.config import ThresholdsConfig
from training.evaluation.metrics import micro_f1
from training.publishing.thresholds import (
    best_thresholds,
    choose,
    held_out_decisions,
    out_of_reach,
    uncertain_rule,
)


def drawn(seed: int, papers: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = (rng.random((papers, 2)) < 0.3).astype(float)
    return targets, np.clip(targets * 0.4 + rng.random((papers, 2)) * 0.6, 0.001, 0.999)


def test_a_clean_gap_is_cut_in_its_middle() -> None:
    targets, scores = np.array([[0], [0], [1], [1]]), np.array([[0.1], [0.2], [0.6], [0.9]])
    assert best_thresholds(targets, scores) == [pytest.approx(0.4)]


def test_no_threshold_lies_on_a_score_where_rounding_would_decide() -> None:
    scores, targets = np.array([[0.4], [0.5], [0.6]]), np.ones((3, 1))
    assert best_thresholds(targets, scores) == [pytest.approx(0.2)]
    assert choose(targets, scores, ThresholdsConfig(aim="precision", at_least=0.9)) == [pytest.approx(0.2)]


@settings(max_examples=10)
@given(st.integers(0, 50))
def test_no_other_threshold_has_a_higher_f1(seed: int) -> None:
    targets, scores = drawn(seed, papers=60)
    for i, threshold in enumerate(best_thresholds(targets, scores)):
        best = f1_score(targets[:, i], scores[:, i] >= threshold, zero_division=0)
        others = [f1_score(targets[:, i], scores[:, i] >= cut, zero_division=0) for cut in np.linspace(0.05, 0.95, 31)]
        assert best >= max(others) - 1e-9


def test_a_threshold_is_bounded() -> None:
    assert best_thresholds(np.ones((5, 1)), np.full((5, 1), 0.001)) == [0.05]


def test_the_figures_of_the_rule_are_those_of_decide_on_the_same_papers() -> None:
    targets, scores = drawn(1)
    thresholds = best_thresholds(targets, scores)
    rule = uncertain_rule(targets, scores, thresholds, share=0.2)
    labels = [Label(id=f"l{i}", name=f"L{i}", threshold=threshold) for i, threshold in enumerate(thresholds)]
    decisions = [decide(row, labels, rule) for row in scores]
    marked = np.array([decision.status == "uncertain" for decision in decisions])
    wrong = np.array([set(d.labels) != set(np.flatnonzero(t)) for d, t in zip(decisions, targets, strict=True)])
    assert rule.share == pytest.approx(marked.mean())
    assert rule.error_rate_uncertain == pytest.approx(wrong[marked].mean())
    assert rule.error_rate_ok == pytest.approx(wrong[~marked].mean())
    assert wrong[marked].mean() > wrong[~marked].mean()
    assert marked.mean() >= 0.19


PRECISE = ThresholdsConfig(aim="precision", at_least=0.8)


def test_a_precision_is_reached_with_the_lowest_threshold_that_does() -> None:
    targets, scores = drawn(2)
    for i, threshold in enumerate(choose(targets, scores, PRECISE)):
        given = scores[:, i] >= threshold
        assert targets[given, i].mean() >= 0.8
        more = scores[:, i] >= scores[~given, i].max()
        assert targets[more, i].mean() < 0.8


def test_where_a_precision_is_out_of_reach_the_best_one_is_taken_and_reported() -> None:
    targets, scores = np.array([[1.0], [0.0], [0.0]]), np.array([[0.5], [0.7], [0.2]])
    assert choose(targets, scores, PRECISE) == [pytest.approx(0.35)]
    assert out_of_reach(targets, scores, PRECISE) == {0: pytest.approx(0.5)}
    assert out_of_reach(targets, targets, PRECISE) == {}


def calibrated(highest: list[float], papers: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities spread evenly from 0 to `highest` of each label, and targets drawn from them."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, highest, (papers, len(highest)))
    return (rng.random(scores.shape) < scores).astype(float), scores


def test_the_threshold_of_calibrated_probabilities_is_half_of_the_best_f1() -> None:
    # Of probabilities spread evenly over 0 to 1, threshold t has F1 (1 - t^2) / (1.5 - t), highest at (3 - √5) / 2.
    (threshold,) = choose(*calibrated([1.0]), ThresholdsConfig())
    assert threshold == pytest.approx((3 - np.sqrt(5)) / 2, abs=0.01)


def test_a_threshold_lies_halfway_between_the_best_of_its_label_and_of_all_labels() -> None:
    targets, scores = calibrated([1.0, 0.2])
    (pooled,) = best_thresholds(targets.reshape(-1, 1), scores.reshape(-1, 1))
    own = best_thresholds(targets, scores)
    halfway = [float((log_odds(threshold) + log_odds(pooled)) / 2) for threshold in own]
    assert log_odds(np.array(choose(targets, scores, ThresholdsConfig()))) == pytest.approx(halfway, abs=0.1)


def test_scores_that_are_not_calibrated_are_decided_alike() -> None:
    targets, scores = calibrated([1.0, 0.3], papers=500)
    distorted = 1 / (1 + np.exp(-(0.5 * log_odds(scores) + 0.7)))
    expected = assigned(scores, choose(targets, scores, ThresholdsConfig()))
    assert (assigned(distorted, choose(targets, distorted, ThresholdsConfig())) == expected).mean() > 0.99


def test_a_few_positive_papers_do_not_make_a_threshold_extreme() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((400, 2)) < [0.5, 0.005]).astype(float)
    scores = np.clip(targets * [0.6, 0.06] + rng.random((400, 2)) * [0.4, 0.04], 0.001, 0.999)
    chosen = choose(targets, scores, ThresholdsConfig())
    assert best_thresholds(targets, scores)[1] < chosen[1] < chosen[0]


def test_no_paper_gets_a_label_that_no_validation_paper_has() -> None:
    targets, scores = calibrated([1.0, 0.02], papers=500)
    targets[:, 1] = 0
    assert not assigned(scores, choose(targets, scores, ThresholdsConfig()))[:, 1].any()


def test_without_any_positive_paper_thresholds_are_one_half() -> None:
    assert choose(np.zeros((4, 2)), np.full((4, 2), 0.3), ThresholdsConfig()) == [0.5, 0.5]


def test_thresholds_chosen_on_other_papers_do_no_better() -> None:
    targets, scores = drawn(3)
    seen = assigned(scores, best_thresholds(targets, scores))
    unseen = held_out_decisions(targets, scores, scores, ThresholdsConfig(), seed=1)
    assert unseen.shape == targets.shape
    assert f1_score(targets, unseen, average="micro") <= f1_score(targets, seen, average="micro")


def test_held_out_micro_f1_by_hand() -> None:
    """Five papers make five folds of one paper each, whatever the seed."""
    targets, scores = np.array([[1], [1], [1], [0], [0]]), np.array([[0.9], [0.8], [0.3], [0.4], [0.1]])
    config = ThresholdsConfig(aim="precision", at_least=0.75)
    # All papers together choose 0.2, which costs one false positive: 2 * 3 / (3 + 4).
    assert micro_f1(targets > 0, assigned(scores, choose(targets, scores, config))) == pytest.approx(6 / 7)
    # Without the third paper the others choose 0.6 and miss it; without the fourth they choose 0.05 and accept it.
    decided = held_out_decisions(targets, scores, scores, config, seed=1)
    assert decided.ravel().tolist() == [True, True, False, True, False]
    assert micro_f1(targets > 0, decided) == pytest.approx(2 * 2 / (3 + 3))


def test_titles_are_decided_by_thresholds_of_other_whole_papers() -> None:
    targets, scores = np.array([[1], [1], [1], [0], [0]]), np.array([[0.9], [0.8], [0.7], [0.2], [0.1]])
    titles = np.array([[0.5], [0.3], [0.6], [0.42], [0.5]])
    # Without the third paper the others choose 0.5, without the fourth 0.4, else 0.45.
    decided = held_out_decisions(targets, scores, titles, ThresholdsConfig(aim="precision", at_least=1.0), seed=1)
    assert decided.ravel().tolist() == [True, False, True, True, True]
