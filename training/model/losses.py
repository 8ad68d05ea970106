"""Losses: binary cross-entropy, and variants that give rare labels more weight. Used in training only."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import LossConfig, TeacherConfig


class LabelLoss(nn.Module):
    """Binary cross-entropy of each label on raw logits, weighted as configured, averaged over papers and labels.

    - class_balanced: a label's terms weigh by its effective number of papers, on average 1 (Cui et al. 2019).
    - focal: a term weighs (1 - p)^γ, where p is the probability of the right answer (Lin et al. 2017).
    - asymmetric: γ differs for labels present and absent, and absent labels' probabilities are first lowered by a
      margin (Ridnik et al. 2021).

    `positives`, shape (labels,), are each label's papers among all `papers`.
    """

    _positive: Tensor
    _label: Tensor

    def __init__(self, config: LossConfig, positives: Tensor, papers: int) -> None:
        super().__init__()
        self._config = config
        # Not persistent: the weights are saved without what only training needs.
        self.register_buffer("_positive", _positive_weights(config, positives, papers), persistent=False)
        self.register_buffer("_label", _label_weights(config, positives), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss; both of shape (papers, labels), targets 0 or 1."""
        loss = nn.functional.binary_cross_entropy_with_logits(
            _shifted(logits, targets, self._config), targets, pos_weight=self._positive, reduction="none"
        )
        return (loss * self._label * _focus(logits, targets, self._config)).mean()


class TeacherLoss(nn.Module):
    """Cross-entropy against the teacher's probabilities, both softened by the temperature (Hinton et al. 2015).

    Times the temperature squared, as there, so that its gradients keep their size beside those of the labels.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.weight = config.weight
        self._temperature = config.temperature

    def forward(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """The mean over papers and labels; both are logits of shape (papers, labels)."""
        soft = torch.sigmoid(teacher / self._temperature)
        loss = nn.functional.binary_cross_entropy_with_logits(logits / self._temperature, soft)
        return loss * self._temperature**2


def rates_as_biases(targets: NDArray[np.float32]) -> Tensor:
    """Log-odds of each label's prevalence, shape (labels,), as initial biases (Lin et al. 2017, section 3.3)."""
    rates = torch.from_numpy(targets).mean(dim=0)
    return torch.logit(rates, eps=1e-6)


def _positive_weights(config: LossConfig, positives: Tensor, papers: int) -> Tensor:
    if config.positive_weight_cap is None:
        return torch.ones_like(positives)
    return ((papers - positives) / positives).sqrt().clamp(1.0, config.positive_weight_cap)


def _label_weights(config: LossConfig, positives: Tensor) -> Tensor:
    if config.kind != "class_balanced":
        return torch.ones_like(positives)
    weights = (1 - config.beta) / (1 - config.beta**positives)
    return weights / weights.mean()


def _shifted(logits: Tensor, targets: Tensor, config: LossConfig) -> Tensor:
    """Logits of the probabilities the loss is taken on: those of absent labels less the margin."""
    if config.kind != "asymmetric" or not config.margin:
        return logits
    lowered = (torch.sigmoid(logits) - config.margin).clamp(min=1e-8)
    return torch.where(targets > 0, logits, torch.logit(lowered))


def _focus(logits: Tensor, targets: Tensor, config: LossConfig) -> Tensor:
    """The weight of each term, small where the score is nearly right."""
    if config.kind not in ("focal", "asymmetric"):
        return torch.ones_like(logits)
    shifted = _shifted(logits, targets, config)
    wrong = torch.where(targets > 0, torch.sigmoid(-shifted), torch.sigmoid(shifted))
    if config.kind == "focal":
        return wrong**config.gamma
    return torch.where(targets > 0, wrong**config.positive_gamma, wrong**config.negative_gamma)
