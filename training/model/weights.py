"""Files of a fitted network's weights: written by one run, read when it is published or continued."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from training.errors import ConfigError
from training.model.network import SubjectNetwork


def save_weights(network: SubjectNetwork, path: Path, categories: Sequence[str]) -> None:
    """Write the weights, and the finer categories in the order of the auxiliary head's outputs."""
    # Written beside and renamed: a run that is killed here must not leave half a file that looks complete.
    partial = path.with_suffix(".partial")
    save_file(network.state_dict(), partial, {"categories": " ".join(categories)})
    partial.replace(path)


def read_categories(path: Path) -> tuple[str, ...]:
    """The finer categories of a file of weights, in the order of the auxiliary head's outputs; often none.

    Raises ConfigError if the file cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return tuple((file.metadata() or {}).get("categories", "").split())
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path} cannot be read as the weights of a fitted network: {error}") from None


def continue_from(network: SubjectNetwork, path: Path) -> None:
    """Give the network the weights of an earlier one; ConfigError unless both have the same layers and heads."""
    read_categories(path)  # refuses a file that cannot be read
    try:
        network.load_state_dict(load_file(path))
    except RuntimeError as error:
        first = str(error).partition("\n")[2].strip() or str(error)
        raise ConfigError(
            f"{path} holds the weights of another network, so training cannot continue from it; expected the same "
            f"[encoder], [features], [head], [exits], labels and categories: {first[:300]}"
        ) from None
