"""Features: the vectors of one layer or several that the head reads, of the CLS token or of all tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.config import FeaturesConfig


def size(config: FeaturesConfig, hidden_size: int) -> int:
    """The number of features of a text."""
    vectors = config.layers if config.join == "concat" else 1
    return hidden_size * vectors * (2 if config.pool == "cls+mean" else 1)


def read(hidden: Sequence[Tensor], attention_mask: Tensor, config: FeaturesConfig) -> Tensor:
    """Features (texts, size) from the states of layers, each (texts, tokens, hidden); the last is the highest."""
    vectors = [_pooled(layer, attention_mask, config) for layer in hidden[-config.layers :]]
    if config.join == "concat":
        return torch.cat(vectors, dim=-1)
    stacked = torch.stack(vectors)
    return stacked.mean(dim=0) if config.join == "mean" else stacked.amax(dim=0)


def _pooled(layer: Tensor, attention_mask: Tensor, config: FeaturesConfig) -> Tensor:
    if config.pool == "cls":
        return layer[:, 0]
    mean = mean_state(layer, attention_mask)
    return mean if config.pool == "mean" else torch.cat([layer[:, 0], mean], dim=-1)


def mean_state(layer: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the states (texts, tokens, hidden) over the tokens that are not padding, shape (texts, hidden).

    A mask may hold other numbers than 0 and 1: these are the tokens' weights in the mean.
    """
    mask = attention_mask.unsqueeze(-1).to(layer.dtype)
    return (layer * mask).sum(dim=1) / mask.sum(dim=1)
