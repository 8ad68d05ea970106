"""Learning rates and weight decay of a network's parameters, as groups for the optimizer."""

from collections.abc import Iterator

from torch import nn

from training.config import FitConfig


def parameter_groups(network: nn.Module, fit: FitConfig) -> list[dict[str, object]]:
    """Optimizer groups with a learning rate that falls from the head down to the embeddings.

    Sun et al. 2019, section 5.4.2: layer l learns at ξ^(L - l) times the base rate; the embeddings,
    the lowest layer of all, have the smallest rate. Biases and norms are not decayed.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter, depth in _by_depth(network):
        base = fit.learning_rate if name.startswith("encoder.") else fit.head_learning_rate or fit.learning_rate
        decay = 0.0 if parameter.ndim < 2 else fit.weight_decay
        groups.setdefault((base * fit.layer_decay**depth, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def _by_depth(network: nn.Module) -> Iterator[tuple[str, nn.Parameter, int]]:
    """Trainable parameters with their distance below the top layer: heads and top layer 0, embeddings most."""
    layers = max((_layer(name) for name, _ in network.named_parameters()), default=-1) + 1
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            yield name, parameter, layers - 1 - _layer(name) if name.startswith("encoder.") else 0


def _layer(name: str) -> int:
    """Index of the encoder layer a parameter belongs to; -1 for embeddings and all else."""
    _, found, rest = name.partition(".layer.")
    return int(rest.split(".")[0]) if found else -1
