"""Features: the vectors of one layer or several that the head reads, of the CLS token or of all tokens."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from training.config import FeaturesConfig


def size(config: FeaturesConfig, hidden_size: int) -> int:
    """The number of features of a text."""
    vectors = config.layers if config.join == "concat" else 1
    return hidden_size * vectors * (2 if config.pool in ("cls+mean", "cls+mean_below") else 1)


def need_hidden_states(config: FeaturesConfig) -> bool:
    """Whether other layers than the last are read."""
    return config.layers > 1 or config.pool == "cls+mean_below"


def read(output: Any, attention_mask: Tensor, config: FeaturesConfig) -> Tensor:
    """Features (texts, size) from the encoder's output, which has `hidden_states` if these are needed."""
    hidden = output.hidden_states if need_hidden_states(config) else (output.last_hidden_state,)
    vectors = [pooled(hidden, at, attention_mask, config) for at in range(len(hidden) - config.layers, len(hidden))]
    if config.join == "concat":
        return torch.cat(vectors, dim=-1)
    stacked = torch.stack(vectors)
    return stacked.mean(dim=0) if config.join == "mean" else stacked.amax(dim=0)


def pooled(hidden: Sequence[Tensor], at: int, attention_mask: Tensor, config: FeaturesConfig) -> Tensor:
    """The vector of `hidden[at]`, (texts, size), from the states of one layer after another (texts, tokens, hidden)."""
    cls = hidden[at][:, 0]
    if config.pool == "cls":
        return cls
    mean = mean_state(hidden[at - 1 if config.pool == "cls+mean_below" else at], attention_mask)
    return mean if config.pool == "mean" else torch.cat([cls, mean], dim=-1)


def mean_state(layer: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the states (texts, tokens, hidden) over the tokens that are not padding, shape (texts, hidden)."""
    mask = attention_mask.unsqueeze(-1).to(layer.dtype)
    return (layer * mask).sum(dim=1) / mask.sum(dim=1)
