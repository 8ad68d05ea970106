"""The encoder of an artefact is restored from its graph, and training starts from it."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoTokenizer

from model_store.store import Store
from tests.training import tiny
from tests.training.importing import models
from tests.training.publishing import test_bert
from training.__main__ import main
from training.config import QuantizationConfig
from training.importing.published import restore, write_encoder
from training.publishing.bert import bert_graph
from training.publishing.quantization_schemes import quantize_blocks, schemes

SCHEMES = schemes(QuantizationConfig())
QUIET = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run that has an exit, so that its graph is in two parts."""
    folder = tmp_path_factory.mktemp("run")
    config = tiny.config(folder, epochs=1, extra="[exits]\nlayers = [1]\nmicro_f1_loss = 1.0\n")
    config.write_text(config.read_text().replace("flipped = 0.5", "flipped = 1.0").replace("loss = 0.1", "loss = 1.0"))
    assert main(["run", str(config), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 0
    return folder


@QUIET
def test_weights_are_those_of_the_fitted_encoder_rounded(folder: Path) -> None:
    store = str(folder / "store")
    assert main(["encoder", "--artefact", "tiny/0.1.0", "--store", store, "--output", str(folder / "restored")]) == 0
    restored = load_file(folder / "restored/model.safetensors")
    fitted = load_file(folder / "runs/tiny-0.1.0/network.safetensors")
    expected = {name.removeprefix("encoder."): value for name, value in fitted.items() if name.startswith("encoder.")}
    assert restored.keys() == expected.keys()
    for name, weights in restored.items():
        step = np.abs(expected[name]).max() / 63
        np.testing.assert_allclose(weights, expected[name], atol=step, err_msg=name)


@QUIET
def test_the_encoder_of_a_run_is_written_as_it_is(folder: Path) -> None:
    run = ["--run", str(folder / "run.toml"), "--runs", str(folder / "runs")]
    assert main(["encoder", *run, "--output", str(folder / "encoder-of-run")]) == 0
    written = load_file(folder / "encoder-of-run/model.safetensors")
    fitted = load_file(folder / "runs/tiny-0.1.0/network.safetensors")
    for name, weights in written.items():
        assert (weights == fitted[f"encoder.{name}"]).all(), name
    assert AutoTokenizer.from_pretrained(folder / "encoder-of-run").backend_tokenizer.get_vocab_size() > 10


@QUIET
def test_training_starts_from_a_restored_encoder(folder: Path, tmp_path: Path) -> None:
    write_encoder(Store(folder / "store").open(), tmp_path / "encoder")
    papers, output = tiny.write_csv(tmp_path / "papers.csv", tiny.papers(120)), tmp_path / "run.toml"
    assert main(["init", str(papers), "--encoder", str(tmp_path / "encoder"), "--output", str(output)]) == 0
    assert tomllib.loads(output.read_text())["encoder"]["source"] == str(tmp_path / "encoder")
    assert main(["check", str(output), "--runs", str(tmp_path), "--store", str(tmp_path / "store")]) == 0


@pytest.mark.parametrize("number", range(len(SCHEMES)))
def test_weights_are_restored_from_every_scheme_of_quantization(number: int) -> None:
    network = test_bert.network()
    restored = restore([SCHEMES[number].quantize(bert_graph(network))])
    assert restored is not None
    config, expected = network.encoder.config, network.encoder.state_dict()
    for key in ("hidden_act", "num_attention_heads", "intermediate_size", "layer_norm_eps"):
        assert getattr(restored.config, key) == pytest.approx(getattr(config, key)), key
    for name, weights in restored.state_dict().items():
        step = float(expected[name].abs().max()) / 63
        torch.testing.assert_close(weights, expected[name], atol=step, rtol=0)


def test_weights_in_blocks_are_restored_without_their_padding() -> None:
    # No multiple of the 32 weights in a block.
    network = test_bert.network(hidden_size=40, intermediate_size=72)
    restored = restore([quantize_blocks(bert_graph(network))])
    assert restored is not None
    expected = network.encoder.state_dict()
    for name, weights in restored.state_dict().items():
        torch.testing.assert_close(weights, expected[name], atol=float(expected[name].abs().max()) / 63, rtol=0)


@QUIET
def test_a_model_that_is_no_bert_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models.classifier(tmp_path / "model", "roberta")
    assert main(["import", str(tmp_path / "model"), "--store", str(tmp_path / "store"), "--runs", str(tmp_path)]) == 0
    command = ["encoder", "--artefact", "latest", "--store", str(tmp_path / "store"), "--output", str(tmp_path / "e")]
    assert main(command) == 2
    assert "is no BERT, or its graph was exported by torch" in capsys.readouterr().err
