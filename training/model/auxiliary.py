"""An auxiliary head that learns finer categories beside the labels."""

import math

from torch import Tensor, nn

from training.config import AuxiliaryConfig
from training.model.hidden_layer import hidden_layer


class AuxiliaryHead(nn.Module):
    """Learns finer categories beside the labels and is dropped before export (Sun et al. 2019, section 5.5)."""

    def __init__(self, features: int, categories: int, config: AuxiliaryConfig) -> None:
        super().__init__()
        layers = [] if config.hidden is None else hidden_layer(features, config.hidden, config.dropout)
        self.inner = nn.Sequential(*layers)
        self.linear = nn.Linear(config.hidden or features, categories)
        # Categories are rare: starting at a probability of 0.01 spares the first steps (Lin et al. 2017, section 3.3).
        nn.init.constant_(self.linear.bias, math.log(0.01 / 0.99))
        self._weight = config.weight

    def forward(self, features: Tensor, categories: Tensor) -> Tensor:
        """The weighted loss, summed over categories and averaged over papers; rows of NaN count nothing."""
        known = categories.isfinite()
        loss = nn.functional.binary_cross_entropy_with_logits(
            self.linear(self.inner(features)).float(), categories.nan_to_num(), weight=known.float(), reduction="sum"
        )
        return self._weight * loss / len(categories)
