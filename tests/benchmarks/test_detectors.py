"""Detectors of texts out of scope on made-up states."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.detectors import Measured, Sets, detectors, measure
from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from tests.training import tiny
from training.config import EncoderConfig, FeaturesConfig, HeadConfig
from training.model.network import load_network

LAYERS, HIDDEN = 6, 8


def measured(texts: int, seed: int, shift: float = 0.0) -> Measured:
    """States of normal scatter; those of another field are moved along one dimension and scatter less."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(2, texts, LAYERS + 1, HIDDEN)) * (0.5 if shift else 1)
    states[..., 0] += shift
    return Measured(states[0], states[1], rng.normal(size=texts) + shift, np.full(texts, 100))


def test_every_detector_scores_every_text_and_the_head_finds_what_it_has_learned() -> None:
    papers, other_field = measured(400, 1), measured(200, 2, shift=4)
    sets = Sets(papers, other_field, papers, papers, other_field, papers)
    unseen_papers, unseen_field = measured(400, 3), measured(200, 4, shift=4)
    found = {}
    for name, score in detectors(sets):
        assert score(unseen_field).shape == (200,)
        found[name] = (score(unseen_field) > np.quantile(score(unseen_papers), 0.98)).mean()
    assert len(found) == LAYERS + 7
    assert found["Mahalanobis, mean state of layer 3"] < 0.5
    assert found["Mahalanobis and outlier head, layer 3"] > 0.6


def test_energy_is_that_of_the_logits(tmp_path: Path) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path / "encoder")))
    network = load_network(source, HeadConfig(), 3, FeaturesConfig(layers=2, pool="cls+mean")).eval()
    encoder = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32))
    papers = [Paper("a quantum star", "of the plasma"), Paper("proof")]
    found = measure(network, encoder, papers)
    assert found.means.shape == found.cls.shape == (2, 3, 32)
    for encoding, energy, tokens in zip(encoder.encode(papers), found.energy, found.tokens, strict=True):
        with torch.no_grad():
            logits = network(*(torch.from_numpy(array) for array in encoding.rows()))["logits"]
        assert energy == pytest.approx(-float(torch.nn.functional.softplus(logits).sum()), rel=1e-5)
        assert tokens == len(encoding.input_ids)
