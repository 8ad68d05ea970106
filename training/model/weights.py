"""Files of a fitted network's weights: written by one run, read when it is published or continued."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from training.errors import ConfigError
from training.model.network import SubjectNetwork


def save_weights(network: SubjectNetwork, path: Path, labels: Sequence[str], categories: Sequence[str]) -> None:
    """Write the weights, and labels and finer categories in the order of their heads' outputs."""
    # Written beside and renamed: a run that is killed here must not leave half a file that looks complete.
    partial = path.with_suffix(".partial")
    names = {"labels": json.dumps(list(labels)), "categories": " ".join(categories)}
    save_file(network.state_dict(), partial, names)
    partial.replace(path)


def read_categories(path: Path) -> tuple[str, ...]:
    """The finer categories of a file of weights, in the order of the auxiliary head's outputs; often none.

    Raises ConfigError if the file cannot be read.
    """
    return tuple(_metadata(path).get("categories", "").split())


def require_labels(path: Path, labels: Sequence[str]) -> None:
    """ConfigError unless a file of weights has these labels in this order; earlier files name none and pass.

    Raises ConfigError also if the file cannot be read.
    """
    stored = json.loads(_metadata(path).get("labels", "null"))
    if stored is not None and stored != list(labels):
        raise ConfigError(
            f"{path} holds the weights of a network for the labels {', '.join(stored)}, so training cannot continue "
            f"from it with the labels {', '.join(labels)}; give the same labels in the same order"
        )


def continue_from(network: SubjectNetwork, path: Path, labels: Sequence[str]) -> None:
    """Give the network the weights of an earlier one; ConfigError unless layers, heads and `labels` are the same."""
    require_labels(path, labels)
    try:
        network.load_state_dict(load_file(path))
    except RuntimeError as error:
        first = str(error).partition("\n")[2].strip() or str(error)
        raise ConfigError(
            f"{path} holds the weights of another network, so training cannot continue from it; expected the same "
            f"[encoder], [features], [head], [exits], labels and categories: {first[:300]}"
        ) from None


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path} cannot be read as the weights of a fitted network: {error}") from None
