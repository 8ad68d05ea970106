"""Small fine-tuned classifiers of several architectures in the Hugging Face layout; their weights are random."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from tests import builders

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 64,
}  # fmt: skip
CONFIGS: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "bert": (BertConfig, SIZES),
    "distilbert": (
        DistilBertConfig, {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64},
    ),
    "roberta": (RobertaConfig, SIZES | {"type_vocab_size": 1}),
    "electra": (ElectraConfig, SIZES | {"embedding_size": 16}),
    "deberta": (
        DebertaV2Config,
        SIZES | {
            "relative_attention": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0, "position_biased_input": False,
        },
    ),
    "modernbert": (ModernBertConfig, SIZES | {"local_attention": 8, "global_attn_every_n_layers": 2}),
}  # fmt: skip


def word_pieces() -> PreTrainedTokenizerFast:
    """The words of `builders`, with the special tokens and the layout of BERT."""
    tokenizer = builders.tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _wrapped(tokenizer, "[CLS]", "[SEP]", "[PAD]")


def byte_pairs() -> PreTrainedTokenizerFast:
    """Bytes without merges, with the special tokens and the layout of RoBERTa."""
    specials = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({piece: i for i, piece in enumerate((*specials, *alphabet))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(list(specials))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return _wrapped(tokenizer, "<s>", "</s>", "<pad>")


def _wrapped(tokenizer: Tokenizer, first: str, last: str, pad: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token=first, sep_token=last, pad_token=pad)


def classifier(folder: Path, kind: str, labels: tuple[str, ...] = ("Biology", "Law", "Poetry"), **config: Any) -> Path:
    """A classifier of this architecture with a sigmoid, unless `config` says otherwise."""
    tokenizer = byte_pairs() if kind == "roberta" else word_pieces()
    make, sizes = CONFIGS[kind]
    stated = {"problem_type": "multi_label_classification", "id2label": dict(enumerate(labels))} | config
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "pad")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_config(
        make(vocab_size=len(tokenizer), **sizes, **ids, initializer_range=0.3, **stated)
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
