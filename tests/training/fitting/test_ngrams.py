"""Fitting the model of word pieces and pairs, and its file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from training.config import NgramsConfig
from training.data.batches import EncodedPapers
from training.data.papers import Papers
from training.errors import ConfigError
from training.fitting.ngrams import fit_ngrams, load_ngrams, save_ngrams
from training.model.ngrams import Ngrams

SETTINGS = NgramsConfig(buckets=512, epochs=20, batch_size=16)
CATEGORIES = ("cs.LG", "math.CO")


def ordered_pairs(count: int) -> Papers:
    """Papers of the same words: the first label is that of "quantum theorem", the second that of "theorem quantum"."""
    rng = np.random.default_rng(0)
    texts, targets = [], np.zeros((count, 2), dtype=np.float32)
    for row in range(count):
        pair = ["quantum", "theorem"]
        targets[row, row % 2] = 1
        fillers = rng.choice(["proof", "star", "plasma"], size=6).tolist()
        place = int(rng.integers(1, 6))
        texts.append(Paper(" ".join([*fillers[:place], *(pair if row % 2 == 0 else pair[::-1]), *fillers[place:]])))
    return Papers(texts, targets)


def test_it_learns_the_order_of_words() -> None:
    tokenizer, papers = builders.tokenizer(), ordered_pairs(200)
    encoded = EncodedPapers(PaperEncoder(tokenizer, InputFormat(max_tokens=32)), papers)
    size = tokenizer.get_vocab_size()
    net = fit_ngrams(encoded, papers.targets, size, SETTINGS, pad_id=0, seed=1)
    with torch.no_grad():
        right = [
            bool((net(*(torch.from_numpy(part) for part in encoding.rows()[:2]))[0] > 0).numpy()[int(label)])
            for encoding, label in zip(encoded.encodings, papers.targets.argmax(axis=1), strict=True)
        ]
    assert np.mean(right) > 0.95


def test_the_same_seed_gives_the_same_model() -> None:
    tokenizer, papers = builders.tokenizer(), ordered_pairs(40)
    encoded = EncodedPapers(PaperEncoder(tokenizer, InputFormat(max_tokens=32)), papers)
    one, other = (fit_ngrams(encoded, papers.targets, 60, SETTINGS, pad_id=0, seed=1) for _ in range(2))
    torch.testing.assert_close(one.weights.weight, other.weights.weight, rtol=0, atol=0)


def test_a_file_gives_the_same_model_back(tmp_path: Path) -> None:
    made = Ngrams(5, SETTINGS.buckets, 2, SETTINGS.share)
    torch.nn.init.normal_(made.weights.weight)
    save_ngrams(made, tmp_path / "ngrams.safetensors", SETTINGS, CATEGORIES)
    # The share is chosen when the artefact is published, so that no fit is needed to change it.
    read = load_ngrams(tmp_path / "ngrams.safetensors", 5, SETTINGS.model_copy(update={"share": 0.5}), CATEGORIES)
    torch.testing.assert_close(read.weights.weight, made.weights.weight)
    assert read.share == 0.5


def test_a_file_of_other_settings_or_categories_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ngrams.safetensors"
    with pytest.raises(ConfigError, match="python -m training ngrams CONFIG` writes it"):
        load_ngrams(path, 5, SETTINGS, CATEGORIES)
    save_ngrams(Ngrams(5, SETTINGS.buckets, 2), path, SETTINGS, CATEGORIES)
    with pytest.raises(ConfigError, match="for other categories"):
        load_ngrams(path, 5, SETTINGS, ("cs.LG", "math.PR"))
    with pytest.raises(ConfigError, match=r"other settings in \[ngrams\]"):
        load_ngrams(path, 5, SETTINGS.model_copy(update={"epochs": 1}), CATEGORIES)
