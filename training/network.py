"""The network: a pretrained encoder and a small head on its CLS vector. Ends in raw logits."""

import math
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from training.config import EncoderConfig, FitConfig, HeadConfig
from training.errors import ConfigError


class SubjectNetwork(nn.Module):
    """Encoder → CLS vector → dropout → linear → ReLU → dropout → linear to the labels.

    The sigmoid is not here: `BCEWithLogitsLoss` wants raw logits (a second sigmoid would keep the
    mean loss above 0.6 whatever the network learns), and the exported graph adds it once.
    """

    auxiliary: "AuxiliaryHead | None"

    def __init__(self, encoder: nn.Module, hidden_size: int, labels: int, head: HeadConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Dropout(head.dropout),
            nn.Linear(hidden_size, head.hidden),
            nn.ReLU(),
            nn.Dropout(head.dropout),
            nn.Linear(head.hidden, labels),
        )
        self._loss = nn.BCEWithLogitsLoss()
        self._hidden_size = hidden_size
        self.auxiliary = None

    def learn_also(self, categories: int, weight: float) -> None:
        """Give the network an auxiliary head over so many finer categories, for the time of its training."""
        self.auxiliary = AuxiliaryHead(self._hidden_size, categories, weight)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        labels: Tensor | None = None,
        categories: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits of shape (papers, labels), and the mean loss if targets are given."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        features = hidden.last_hidden_state[:, 0]
        logits = self.head(features)
        if labels is None:
            return {"logits": logits}
        loss = self._loss(logits.float(), labels)
        if self.auxiliary is not None and categories is not None:
            loss = loss + self.auxiliary(features, categories) / labels.shape[1]
        return {"loss": loss, "logits": logits}


class AuxiliaryHead(nn.Module):
    """Learns finer categories beside the labels and is dropped before export (Sun et al. 2019, section 5.5)."""

    def __init__(self, hidden_size: int, categories: int, weight: float) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, categories)
        # Categories are rare: starting at a probability of 0.01 spares the first steps (Lin et al. 2017, section 3.3).
        nn.init.constant_(self.linear.bias, math.log(0.01 / 0.99))
        self._weight = weight

    def forward(self, features: Tensor, categories: Tensor) -> Tensor:
        """The weighted loss, summed over categories and averaged over papers; rows of NaN count nothing."""
        known = categories.isfinite()
        loss = nn.functional.binary_cross_entropy_with_logits(
            self.linear(features).float(), categories.nan_to_num(), weight=known.float(), reduction="sum"
        )
        return self._weight * loss / len(categories)


def load_network(encoder: EncoderConfig, head: HeadConfig, labels: int) -> SubjectNetwork:
    """A network with pretrained encoder and fresh head.

    `source` is a hub id or a local folder of a model of the BERT family, which tells title and
    abstract apart by token types; ConfigError for any other.
    """
    config = AutoConfig.from_pretrained(encoder.source)
    if encoder.dropout is not None:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = encoder.dropout
    if getattr(config, "type_vocab_size", 0) < 2:
        raise ConfigError(
            f"encoder {encoder.source!r} ({config.model_type}) does not tell two segments apart; expected one of the "
            "BERT family, such as bert-base-uncased"
        )
    body = AutoModel.from_pretrained(
        encoder.source, config=config, add_pooling_layer=False, attn_implementation=encoder.attention
    )
    body.requires_grad_(not encoder.freeze)
    return SubjectNetwork(body, config.hidden_size, labels, head)


def load_tokenizer(source: str) -> Tokenizer:
    """The encoder's own tokenizer, in the form that serving reads."""
    loaded: Tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True).backend_tokenizer
    return loaded


def parameter_groups(network: SubjectNetwork, fit: FitConfig) -> list[dict[str, object]]:
    """Optimizer groups with a learning rate that falls from the head down to the embeddings.

    Sun et al. 2019, section 5.4.2: layer l learns with ξ^(L - l) of the base rate, the embeddings,
    the lowest layer of all, with the smallest. Biases and norms are not decayed.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter, depth in _by_depth(network):
        base = fit.learning_rate if name.startswith("encoder.") else fit.head_learning_rate or fit.learning_rate
        decay = 0.0 if parameter.ndim < 2 else fit.weight_decay
        groups.setdefault((base * fit.layer_decay**depth, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def _by_depth(network: SubjectNetwork) -> Iterator[tuple[str, nn.Parameter, int]]:
    """Trainable parameters with their distance below the top layer: heads and top layer 0, embeddings most."""
    layers = max((_layer(name) for name, _ in network.named_parameters()), default=-1) + 1
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            yield name, parameter, layers - 1 - _layer(name) if name.startswith("encoder.") else 0


def _layer(name: str) -> int:
    """Index of the encoder layer a parameter belongs to; -1 for embeddings and all else."""
    _, found, rest = name.partition(".layer.")
    return int(rest.split(".")[0]) if found else -1


def device_runs_bf16(flags: str) -> bool:
    """Whether bf16 pays: on a GPU that has it, or on a CPU whose `flags` name it.

    On a processor without it bf16 is emulated, some twenty times slower than fp32.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))
