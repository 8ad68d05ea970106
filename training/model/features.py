"""What the head reads of the encoder: vectors of one layer or of several, of CLS or of all tokens."""

from typing import Any

import torch
from torch import Tensor

from training.config import FeaturesConfig


def size(config: FeaturesConfig, hidden_size: int) -> int:
    """How many numbers stand for a text."""
    return hidden_size * config.layers if config.join == "concat" else hidden_size


def read(output: Any, attention_mask: Tensor, config: FeaturesConfig) -> Tensor:
    """Features of shape (texts, size) from the encoder's output, which holds `hidden_states` if several are read."""
    layers = output.hidden_states[-config.layers :] if config.layers > 1 else (output.last_hidden_state,)
    vectors = [_pool(layer, attention_mask) if config.pool == "mean" else layer[:, 0] for layer in layers]
    if config.join == "concat":
        return torch.cat(vectors, dim=-1)
    stacked = torch.stack(vectors)
    return stacked.mean(dim=0) if config.join == "mean" else stacked.amax(dim=0)


def _pool(layer: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean over the tokens that are no padding, shape (texts, hidden)."""
    mask = attention_mask.unsqueeze(-1).to(layer.dtype)
    return (layer * mask).sum(dim=1) / mask.sum(dim=1)
