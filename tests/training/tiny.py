"""A tiny pretrained encoder and a small invented set of papers, both made on the spot."""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel, BertTokenizerFast, RobertaConfig, RobertaModel

from model_store.graph import Graph
from model_store.papers import Encoding
from tests import builders

LABELS = tuple(label.name for label in builders.LABELS)
GENERAL = tuple(word for word in builders.FILLERS if word.isalpha())

Rows = list[dict[str, object]]


def encoder(folder: Path, words: Iterable[str] = tuple(builders.WORDS)) -> Path:
    """A random BERT of two layers in the Hugging Face layout, whose tokenizer has these words."""
    tokenizer = builders.tokenizer(words)
    vocabulary = tokenizer.get_vocab()
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    with _seeded(8):
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    BertTokenizerFast(tokenizer_object=tokenizer, vocab=vocabulary).save_pretrained(folder)
    return folder


def without_token_types(folder: Path) -> Path:
    """Replace such an encoder by a random RoBERTa with the same tokenizer."""
    config = RobertaConfig(
        vocab_size=BertConfig.from_pretrained(folder).vocab_size, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=64, max_position_embeddings=64, type_vocab_size=1,
    )  # fmt: skip
    with _seeded(5):
        RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Always draw the same weights: with some, so small an encoder learns little in three epochs."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def papers(count: int, seed: int = 0) -> Rows:
    """Papers in the Kaggle layout whose words tell their labels; one or two labels each."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for number in range(count):
        labels = set(rng.choice(len(LABELS), size=rng.integers(1, 3), replace=False).tolist())
        words = [word for word, label in builders.WORDS.items() if label in labels]
        title = rng.choice([*words, *GENERAL], size=4).tolist()
        abstract = rng.choice([*words, *words, *GENERAL], size=rng.integers(5, 25)).tolist()
        flags = {name: int(i in labels) for i, name in enumerate(LABELS)}
        rows.append({"ID": number, "TITLE": f"{' '.join(title)} {number}", "ABSTRACT": " ".join(abstract)} | flags)
    return rows


def write_csv(path: Path, rows: Rows) -> Path:
    """CSV, gzipped if the name says so."""
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def config(
    folder: Path, *, version: str = "0.1.0", epochs: int = 3, extra: str = "", within: Mapping[str, str] | None = None
) -> Path:
    """A run over 240 such papers, complete with its encoder; `within` adds lines to sections, `extra` whole ones."""
    encoder(folder / "encoder")
    train = write_csv(folder / "train.csv", papers(200))
    validation = write_csv(folder / "validation.csv.gz", papers(60, seed=1))
    path = folder / "run.toml"
    text = f"""
name = "tiny"
version = "{version}"
licence = "Apache-2.0"
seed = 3
[encoder]
source = {json.dumps(str(folder / "encoder"))}
[data]
validation = {json.dumps(str(validation))}
[[data.train]]
path = {json.dumps(str(train))}
[input]
max_tokens = 32
[fit]
epochs = {epochs}
batch_size = 8
max_tokens = 24
learning_rate = 3e-3
evaluations_per_epoch = 2
patience = 20
precision = "fp32"
[scope]
papers = 150
[gates]
micro_f1_loss = 0.1
flipped = 0.5
[[golden]]
title = "a quantum algorithm"
[[golden]]
title = "proof"
abstract = "of the theorem"
{extra}
"""
    for section, lines in (within or {}).items():
        text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n")
    path.write_text(text)
    return path


def scores(graph: Graph, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
    """Probabilities of papers one by one, shape (papers, labels)."""
    return np.stack([graph(encoding).scores for encoding in encodings])
