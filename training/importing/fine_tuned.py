"""Reads a fine-tuned sequence classifier in the Hugging Face layout, and refuses those that cannot be served."""

from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from training.errors import ConfigError
from training.model.pretrained import has_token_types, not_loadable, require_reachable

_WHAT = "model"
_SIGMOID = "multi_label_classification"
# The names that transformers gives to labels without names.
_NO_NAME = "LABEL_"


class Classifier(NamedTuple):
    """A model with what its configuration says."""

    model: Any
    names: tuple[str, ...]
    """Of its outputs, in their order; empty if the configuration has none."""
    outputs: int
    positions: int | None
    """Word pieces it can read at most; None: any number."""
    token_types: bool
    """Whether it distinguishes two segments by token types."""

    @property
    def architecture(self) -> str:
        """The name of its class."""
        return type(self.model).__name__


def read_classifier(source: str, *, sigmoid: bool = False) -> Classifier:
    """Load a model from a folder or by its hub id, in fp32; code that comes with it is never run.

    `sigmoid` states that it was fine-tuned with a sigmoid where its configuration does not say so. Raises ConfigError,
    in one sentence, if there is no such model, if it has a softmax, or if it has no head of its own.
    """
    require_reachable(source, _WHAT)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise not_loadable(source, error, _WHAT) from None
    if not sigmoid:
        _require_sigmoid(source, config.problem_type, config.num_labels)
    model = _load(source, config)
    return Classifier(
        model=model,
        names=_names(config),
        outputs=config.num_labels,
        positions=_positions(model, getattr(config, "max_position_embeddings", None)),
        token_types=has_token_types(config),
    )


def _require_sigmoid(source: str, problem_type: str | None, outputs: int) -> None:
    # One output without a problem type has a sigmoid, as in the text-classification pipeline of transformers.
    if problem_type == _SIGMOID or (problem_type is None and outputs == 1):
        return
    if problem_type == "regression":
        found = "problem_type is regression, so that its outputs are no log-odds of labels"
    elif problem_type is None:
        found = (
            f"it has {outputs} outputs and no problem_type, for which transformers takes a softmax: scores sum to 1 "
            "over the labels, while the service needs independent probabilities"
        )
    else:
        found = (
            f"problem_type is {problem_type}, a softmax: scores sum to 1 over the labels, while the service needs "
            "independent probabilities"
        )
    raise ConfigError(
        f'model {source!r} is refused by its config.json: {found}. Fine-tune it with problem_type "{_SIGMOID}" (binary '
        "cross-entropy). If it was fine-tuned with a sigmoid and its config.json is wrong, say so: --sigmoid"
    )


def _load(source: str, config: Any) -> Any:
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            attn_implementation="eager",
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise not_loadable(source, error, _WHAT) from None
    if missing := sorted(report["missing_keys"]):
        raise ConfigError(
            f"model {source!r} has no weights for {', '.join(missing)}: it is an encoder that was not fine-tuned as a "
            "classifier. Fine-tune it on labelled papers: python -m training init papers.csv --encoder"
        )
    return model.eval()


def _names(config: Any) -> tuple[str, ...]:
    names = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    return () if all(name.startswith(_NO_NAME) for name in names) else names


def _positions(model: nn.Module, stated: int | None) -> int | None:
    """The size of the model's table of positions, otherwise the number in its configuration."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa's positions begin after the one for padding.
            before = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - before
    return stated
