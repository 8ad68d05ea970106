"""Early exits: clear papers leave, unclear ones stay, and the loss that is allowed is kept on other papers."""

import numpy as np
import pytest

from training.config import ExitsConfig
from training.publishing.early_exit import ExitRule, ExitSearch, choose_exits, decisions

THRESHOLDS = [0.5, 0.5]


def heads(noise: float, papers: int = 3000, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Scores of an exit and of the last layer, and targets; the exit sees the same evidence with more noise."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 3, size=(papers, 2))
    targets = (rng.random(evidence.shape) < 1 / (1 + np.exp(-evidence))).astype(np.float32)
    early = evidence + rng.normal(0, noise, size=evidence.shape)
    return [1 / (1 + np.exp(-early)), 1 / (1 + np.exp(-evidence))], targets


def search(noise: float, **config: float) -> ExitSearch:
    scores, targets = heads(noise)
    decided = decisions(scores, targets, THRESHOLDS)
    return ExitSearch(decided, (2, 6), ExitsConfig(layers=(2,), **config), seed=1)


def test_a_paper_exits_at_the_first_confident_exit() -> None:
    rule = ExitRule((0, 1), (1.0, 2.0))
    confidence = np.array([[1.5, 0.5, 0.5], [0.0, 2.5, 1.5], [0.0, 0.0, 0.0]])
    assert rule.exit_heads(confidence).tolist() == [0, 1, 2]


def test_confidence_is_the_distance_of_the_nearest_score_to_its_threshold() -> None:
    decided = decisions([np.array([[0.5, 0.9]]), np.array([[0.9, 0.9]])], np.array([[1.0, 0.0]]), [0.4, 0.5])
    assert decided.confidence[:, 0] == pytest.approx([np.log(1.5), np.log(9)])
    assert (decided.right[:, 0].tolist(), decided.total[:, 0].tolist()) == ([1, 1], [3, 3])


def test_more_papers_exit_at_a_better_exit() -> None:
    chosen = [choose_exits(search(noise)) for noise in (0.3, 1.0)]
    assert chosen[0] is not None
    assert chosen[1] is not None
    good, poor = (figures for _, figures in chosen)  # type: ignore[misc]
    assert good.shares[0] > poor.shares[0] > 0
    assert 2 < good.layers < poor.layers < 6
    assert max(good.micro_f1_loss, poor.micro_f1_loss) <= 0.001


def test_an_uninformative_exit_is_not_published() -> None:
    scores, targets = heads(0.3)
    scores[0] = np.random.default_rng(3).random(targets.shape)
    assert choose_exits(search(0.3)._replace(decisions=decisions(scores, targets, THRESHOLDS))) is None


def test_margins_alone_are_chosen_where_the_exits_are_given() -> None:
    chosen = choose_exits(search(0.3), heads=(0,))
    assert chosen is not None
    assert chosen[0].heads == (0,)
