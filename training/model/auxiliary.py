"""An auxiliary head that learns finer categories beside the labels."""

import math

from torch import Tensor, nn


class AuxiliaryHead(nn.Module):
    """Learns finer categories beside the labels and is dropped before export (Sun et al. 2019, section 5.5)."""

    def __init__(self, hidden_size: int, categories: int, weight: float) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, categories)
        # Categories are rare: starting at a probability of 0.01 spares the first steps (Lin et al. 2017, section 3.3).
        nn.init.constant_(self.linear.bias, math.log(0.01 / 0.99))
        self._weight = weight

    def forward(self, features: Tensor, categories: Tensor) -> Tensor:
        """The weighted loss, summed over categories and averaged over papers; rows of NaN count nothing."""
        known = categories.isfinite()
        loss = nn.functional.binary_cross_entropy_with_logits(
            self.linear(features).float(), categories.nan_to_num(), weight=known.float(), reduction="sum"
        )
        return self._weight * loss / len(categories)
