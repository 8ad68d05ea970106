"""Reads configuration and tokenizer of a pretrained encoder, and checks that it can be trained and served here."""

from pathlib import Path
from typing import NamedTuple

import torch
from httpx2 import HTTPError
from huggingface_hub import HfApi, try_to_load_from_cache
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from training.errors import ConfigError

_TIMEOUT_S = 10.0
_BERT_FAMILY = "expected one of the BERT family, such as bert-base-uncased or a MiniLM"


class EncoderFacts(NamedTuple):
    """Sizes of an encoder, as its configuration says."""

    kind: str
    layers: int
    hidden: int
    positions: int
    """Word pieces it can read at most."""
    vocabulary: int


def read_encoder(source: str, *, token_types: bool = True) -> EncoderFacts:
    """Read the configuration of an encoder; no weights are loaded.

    `token_types` is whether papers have token types, which the encoder must know then. Raises ConfigError, in one
    sentence, if there is no such encoder, if the hub cannot be reached, or if it is of a kind that cannot be trained
    here.
    """
    require_reachable(source)
    config = load_config(source)
    if token_types and not has_token_types(config):
        raise ConfigError(
            f"encoder {source!r} ({config.model_type}) has no token types to tell a title from an abstract; "
            f"{_BERT_FAMILY}, or `token_types = false` in [input] with the encoder's own special tokens"
        )
    try:
        # On the meta device no memory is allocated: this only checks whether the class accepts these arguments.
        with torch.device("meta"):
            AutoModel.from_config(config, add_pooling_layer=False)
    except (TypeError, ValueError):
        raise ConfigError(f"encoder {source!r} is of the kind {config.model_type!r}; {_BERT_FAMILY}") from None
    return EncoderFacts(
        kind=config.model_type,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        positions=config.max_position_embeddings,
        vocabulary=config.vocab_size,
    )


def require_reachable(source: str, what: str = "encoder") -> None:
    """Ask the hub once, unless the encoder is local: transformers asks six times in half a minute and logs each."""
    if Path(source).is_dir():
        return
    try:
        if not isinstance(try_to_load_from_cache(source, "config.json"), str):
            HfApi().model_info(source, timeout=_TIMEOUT_S)
    except (HTTPError, OSError, ValueError) as error:
        raise not_loadable(source, error, what) from None


def read_tokenizer(source: str, what: str = "encoder") -> Tokenizer:
    """The encoder's own tokenizer, in the form that serving reads; ConfigError if there is none."""
    try:
        loaded = AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise not_loadable(source, error, what) from None
    tokenizer: Tokenizer | None = getattr(loaded, "backend_tokenizer", None)
    if tokenizer is None:
        raise ConfigError(f"{what} {source!r} has no fast tokenizer (tokenizer.json), which serving needs")
    return tokenizer


def pad_id(tokenizer: Tokenizer) -> int:
    """The id that fills up short texts; masked, so any will do where there is none."""
    found: int | None = tokenizer.token_to_id("[PAD]")
    return found or 0


def load_config(source: str) -> PreTrainedConfig:
    """The configuration of an encoder; ConfigError if there is none."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(source)
    except (OSError, ValueError, KeyError) as error:
        raise not_loadable(source, error) from None
    return config


def has_token_types(config: PreTrainedConfig) -> bool:
    """Whether an encoder distinguishes two segments by token types; RoBERTa and MPNet do not."""
    return getattr(config, "type_vocab_size", 0) > 1


def load_body(source: str, config: PreTrainedConfig, attention: str | None) -> PreTrainedModel:
    """The pretrained layers without a pooler; ConfigError if the weights are missing, damaged or of other sizes."""
    try:
        body: PreTrainedModel = AutoModel.from_pretrained(
            source, config=config, add_pooling_layer=False, attn_implementation=attention
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise not_loadable(source, error) from None
    return body


def not_loadable(source: str, error: Exception, what: str = "encoder") -> ConfigError:
    """One sentence instead of the sixty lines that transformers raises."""
    first = str(error).strip().partition("\n")[0].rstrip(".")
    if Path(source).is_dir():
        return ConfigError(f"{what} {source!r} is a folder, but holds no {what} in the Hugging Face layout: {first}")
    return ConfigError(
        f"{what} {source!r} is neither a folder nor in the cache, and could not be fetched from the Hugging Face "
        f"hub; check its name and the network, or give a local folder ({first})"
    )
