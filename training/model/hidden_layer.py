"""The hidden layer that every head may have."""

from torch import nn


def hidden_layer(features: int, size: int, dropout: float) -> list[nn.Module]:
    """dropout → linear → ReLU → dropout."""
    return [nn.Dropout(dropout), nn.Linear(features, size), nn.ReLU(), nn.Dropout(dropout)]
