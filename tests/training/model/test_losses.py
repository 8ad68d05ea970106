"""Losses: values worked out by hand, and the limits in which they are plain cross-entropy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.config import LossConfig
from training.model.losses import LabelLoss, rates_as_biases

LOGITS = torch.tensor([[0.7, -1.2, 3.0], [-0.1, 0.4, -5.0]])
TARGETS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
POSITIVES = torch.tensor([90.0, 20.0, 5.0])

BCE = torch.nn.functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, reduction="none")


def loss(config: LossConfig, logits: Tensor = LOGITS, targets: Tensor = TARGETS) -> float:
    return float(LabelLoss(config, POSITIVES, papers=100)(logits, targets))


@pytest.mark.parametrize(
    "config",
    [
        LossConfig(),
        LossConfig(kind="focal", gamma=0),
        LossConfig(kind="asymmetric", positive_gamma=0, negative_gamma=0, margin=0),
        LossConfig(kind="class_balanced", beta=0),
        LossConfig(positive_weight_cap=1),
    ],
    ids=str,
)
def test_each_kind_is_plain_cross_entropy_in_its_limit(config: LossConfig) -> None:
    assert loss(config) == pytest.approx(float(BCE.mean()), abs=1e-6)


def test_focal_loss_weighs_by_how_wrong_a_score_is() -> None:
    # A logit of ln 3 is a probability of 3/4: (1/4)^2 · -ln(3/4) if the label is there, (3/4)^2 · -ln(1/4) if not.
    logits = torch.full((1, 3), math.log(3))
    present, absent = -math.log(3 / 4) / 16, -math.log(1 / 4) * 9 / 16
    found = loss(LossConfig(kind="focal"), logits, torch.tensor([[1.0, 0.0, 0.0]]))
    assert found == pytest.approx((present + 2 * absent) / 3)


def test_asymmetric_loss_lowers_the_scores_of_absent_labels_by_its_margin() -> None:
    # p = 3/4. Present: (1/4)^1 · -ln(3/4). Absent: p - 0.05 = 0.7, so 0.7^4 · -ln(0.3).
    logits = torch.full((1, 3), math.log(3))
    present, absent = -math.log(3 / 4) / 4, -math.log(0.3) * 0.7**4
    found = loss(LossConfig(kind="asymmetric"), logits, torch.tensor([[1.0, 0.0, 0.0]]))
    assert found == pytest.approx((present + 2 * absent) / 3)


def test_absent_labels_scored_below_the_margin_cost_and_teach_nothing() -> None:
    logits = torch.full((1, 3), -4.0, requires_grad=True)  # a probability of 0.018
    value = LabelLoss(LossConfig(kind="asymmetric"), POSITIVES, 100)(logits, torch.zeros(1, 3))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7)
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_class_balanced_loss_weighs_labels_by_their_effective_number_of_papers() -> None:
    beta = 0.9
    weights = [(1 - beta) / (1 - beta**papers) for papers in (90, 20, 5)]
    mean = sum(weights) / 3
    by_label = BCE.mean(dim=0).tolist()
    expected = sum(value * weight / mean for value, weight in zip(by_label, weights, strict=True)) / 3
    assert loss(LossConfig(kind="class_balanced", beta=beta)) == pytest.approx(expected)


def test_positives_of_rare_labels_count_more_up_to_the_cap() -> None:
    # √(10/90) is less than once, √(80/20) = 2, √(95/5) = 4.36 is capped at 3.
    weights = torch.where(TARGETS > 0, torch.tensor([1.0, 2.0, 3.0]), torch.ones(3))
    assert loss(LossConfig(positive_weight_cap=3)) == pytest.approx(float((BCE * weights).mean()))


@pytest.mark.parametrize("kind", ["bce", "class_balanced", "focal", "asymmetric"])
def test_very_sure_scores_give_finite_losses_and_gradients(kind: str) -> None:
    logits = torch.tensor([[200.0, -200.0, 60.0], [-60.0, 200.0, -200.0]], requires_grad=True)
    value = LabelLoss(LossConfig(kind=kind), POSITIVES, 100)(logits, TARGETS)
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_loss_adds_nothing_to_the_saved_weights() -> None:
    assert not LabelLoss(LossConfig(kind="class_balanced"), POSITIVES, 100).state_dict()


def test_biases_start_at_the_log_odds_of_the_labels_shares() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], dtype=np.float32)
    assert torch.sigmoid(rates_as_biases(targets)).tolist() == pytest.approx([0.75, 0.25])
