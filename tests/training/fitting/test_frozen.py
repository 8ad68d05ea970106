"""A frozen encoder reads each paper once, and the heads learn from what it found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.papers import InputFormat, PaperEncoder
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.config import AuxiliaryConfig, EncoderConfig, ExitsConfig, FeaturesConfig, HeadConfig
from training.data.batches import Collator, EncodedPapers
from training.data.corpus import read_papers
from training.fitting import frozen
from training.fitting.frozen import FrozenNetwork, read_by_encoder
from training.model.network import SubjectNetwork, load_network
from training.model.pretrained import read_tokenizer

CATEGORIES = 5


@pytest.fixture
def network(tmp_path: Path) -> SubjectNetwork:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path / "encoder")), freeze=True)
    exits = ExitsConfig(layers=(1,))
    made = load_network(source, HeadConfig(), 3, FeaturesConfig(layers=2, pool="cls+mean"), exits=exits)
    made.add_auxiliary_head(CATEGORIES, AuxiliaryConfig(hidden=7))
    return made.eval()


@pytest.fixture
def papers(tmp_path: Path, network: SubjectNetwork) -> EncodedPapers:
    _, found = read_papers(tiny.write_csv(tmp_path / "train.csv", tiny.papers(50)))
    categories = np.random.default_rng(0).integers(0, 2, size=(50, CATEGORIES)).astype(np.float32)
    tokenizer = read_tokenizer(str(tmp_path / "encoder"))
    return EncodedPapers(PaperEncoder(tokenizer, InputFormat(max_tokens=32)), replace(found, categories=categories))


def test_heads_score_states_as_they_score_papers(
    tmp_path: Path, network: SubjectNetwork, papers: EncodedPapers
) -> None:
    states = read_by_encoder(network, papers, 0, tmp_path / "states", bf16=False)
    for first in range(0, len(papers), 10):
        batch = Collator(0)([papers[i] for i in range(first, first + 10)])
        rows = [states[i] for i in range(first, first + 10)]
        stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}  # type: ignore[misc]
        expected, found = network(**batch), FrozenNetwork(network)(**stacked)
        torch.testing.assert_close(found["logits"], expected["logits"], atol=2e-3, rtol=0)
        torch.testing.assert_close(found["loss"], expected["loss"], atol=2e-3, rtol=0)


def test_states_that_were_written_before_an_interruption_are_kept(
    tmp_path: Path, network: SubjectNetwork, papers: EncodedPapers
) -> None:
    folder = tmp_path / "states"
    read_by_encoder(network, papers, 0, folder, bf16=False)
    (path,) = folder.iterdir()
    kept = np.load(path)[::-1].copy()
    np.save(path, kept)
    found = read_by_encoder(network, papers, 0, folder, bf16=False)[0]["states"]
    assert np.array_equal(np.asarray(found), kept[0])


def test_only_the_layers_that_heads_read_are_kept(network: SubjectNetwork) -> None:
    assert frozen.lowest_layer(network) == 1
    network.exits = None
    assert frozen.lowest_layer(network) == 1
    network._features = FeaturesConfig()
    assert frozen.lowest_layer(network) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_heads_of_a_frozen_encoder_learn_and_are_published(tmp_path: Path) -> None:
    extra = '[features]\nlayers = 2\npool = "cls+mean"\n[exits]\nlayers = [1]\n'
    config = tiny.config(tmp_path, epochs=20, extra=extra, within={"encoder": "freeze = true"})
    text = config.read_text().replace("learning_rate = 3e-3", "learning_rate = 1e-2")
    config.write_text(text.replace("max_tokens = 24", "max_tokens = 32"))
    assert main(["run", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0
    artefact = Store(tmp_path / "store").open()
    assert artefact.golden().replay(artefact.classifier()) < 1e-4
    assert builders.figures(artefact.manifest).mean_average_precision > 0.8
