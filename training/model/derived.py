"""Networks made of parts of a fitted one, without further training."""

import copy
from typing import cast

from torch import nn

from training.config import HeadConfig
from training.errors import ConfigError
from training.model import exits
from training.model.network import SubjectNetwork
from training.model.ngrams import Ngrams


def cut_after(network: SubjectNetwork, layer: int) -> SubjectNetwork:
    """The network up to a layer, with the head of the exit there; ConfigError if there is no exit."""
    heads = network.exits.heads if network.exits else nn.ModuleDict()
    if str(layer) not in heads:
        raise ConfigError(f"cut_after is {layer}; expected one of the layers in [exits]: {', '.join(heads) or 'none'}")
    encoder = copy.deepcopy(network.encoder)
    encoder.encoder.layer = encoder.encoder.layer[:layer]  # type: ignore[union-attr, index]
    encoder.config.num_hidden_layers = layer  # type: ignore[union-attr]
    cut = SubjectNetwork(
        encoder,
        _hidden_size(network),
        network.labels,
        HeadConfig(),
        exits.FEATURES,
        token_types=network.token_types,
    )
    cut.head = cast("nn.Sequential", copy.deepcopy(heads[str(layer)]))
    return cut.eval()


def with_categories(network: SubjectNetwork, ngrams: Ngrams | None = None) -> SubjectNetwork:
    """The network with its auxiliary head as its only head, and `ngrams` beside it; ConfigError if it has none."""
    if network.auxiliary is None:
        raise ConfigError('`labels = "categories"` needs the head that [auxiliary] trains; the run has no such section')
    auxiliary = network.auxiliary
    made = SubjectNetwork(
        network.encoder,
        _hidden_size(network),
        auxiliary.linear.out_features,
        HeadConfig(),
        network.features_config,
        token_types=network.token_types,
    )
    made.head = nn.Sequential(*auxiliary.inner, auxiliary.linear)
    made.chunks = network.chunks
    made.ngrams = ngrams
    return made.eval()


def _hidden_size(network: SubjectNetwork) -> int:
    return int(network.encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
