"""Early exits: heads on lower layers of the encoder."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import ExitsConfig, FeaturesConfig, HeadConfig
from training.model.features import mean_state
from training.model.hidden_layer import hidden_layer

FEATURES = FeaturesConfig(pool="cls+mean")
"""What the head of an exit reads of its layer."""


class Exits(nn.Module):
    """One head for each of the configured layers.

    A head reads the CLS state beside the mean state: in lower layers the CLS state alone says little, since the
    encoder was not pretrained to gather the text there.
    """

    def __init__(self, config: ExitsConfig, head: HeadConfig, hidden_size: int, labels: int) -> None:
        super().__init__()
        self._config = config
        self.heads = nn.ModuleDict(
            {
                str(layer): nn.Sequential(
                    *hidden_layer(2 * hidden_size, head.hidden, head.dropout), nn.Linear(head.hidden, labels)
                )
                for layer in config.layers
            }
        )

    def start_at(self, biases: Tensor) -> None:
        """Set the biases of the labels' logits, shape (labels,)."""
        with torch.no_grad():
            for head in self.heads.values():
                head[-1].bias.copy_(biases)  # type: ignore[index]

    def logits(self, hidden: Sequence[Tensor], attention_mask: Tensor) -> dict[int, Tensor]:
        """Logits (papers, labels) by layer, from hidden states (papers, tokens, size) of embeddings and layers."""
        return {
            int(layer): head(exit_features(hidden[int(layer)], attention_mask)) for layer, head in self.heads.items()
        }

    def loss(self, hidden: Sequence[Tensor], attention_mask: Tensor, last: Tensor, labels: Tensor) -> Tensor:
        """The weighted sum of all exits' losses.

        Part of each is taken against the labels and part against the scores of the last head, whose logits are `last`;
        these do not learn from it.
        """
        soft = torch.lerp(labels, torch.sigmoid(last.detach()), self._config.teacher)
        losses = [
            # Cross-entropy is linear in its targets: one loss against their mixture is the mixture of two losses.
            nn.functional.binary_cross_entropy_with_logits(logits.float(), soft)
            for logits in self.logits(hidden, attention_mask).values()
        ]
        return self._config.weight * torch.stack(losses).sum()


def exit_features(states: Tensor, attention_mask: Tensor) -> Tensor:
    """CLS and mean state side by side, (papers, 2 * size), from the states of one layer (papers, tokens, size)."""
    return torch.cat([states[:, 0], mean_state(states, attention_mask)], dim=-1)
