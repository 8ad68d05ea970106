"""Techniques of Sun et al. 2019 and later, set in the TOML and carried through to an artefact."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from safetensors.numpy import load_file

from model_store.papers import Paper
from model_store.store import Store
from tests.training import tiny
from training.__main__ import main

# Several in each run, because a run takes some seconds.
RUNS: dict[str, dict[str, Any]] = {
    "head and tail, mean of two layers, slanted triangle, fading average, focal loss, half of the papers": {
        "within": {
            "input": 'truncation = "head+tail"\nhead_tokens = 4',
            "data": "share = 0.5",
            "fit": 'schedule = "slanted"\naveraging = "ema"',
        },
        "extra": '[features]\nlayers = 2\njoin = "mean"\n[loss]\nkind = "focal"\nstart_at_rates = true\n',
    },
    "tail, tokens of a lower layer, cosine, average of all, asymmetric loss, finer categories": {
        "within": {
            "input": 'truncation = "tail"',
            "fit": 'schedule = "cosine"\naveraging = "swa"\naveraging_start = 0.5',
        },
        "extra": '[features]\ntop = 1\npool = "mean"\n[loss]\nkind = "asymmetric"\n'
        '[auxiliary]\ncolumn = "ABSTRACT"\nfewest = 30\n',
    },
    "frozen encoder, layers side by side, constant rate, class-balanced loss": {
        "within": {"encoder": "freeze = true", "fit": 'schedule = "constant"'},
        "extra": '[features]\nlayers = 2\n[loss]\nkind = "class_balanced"\npositive_weight_cap = 5\n',
    },
}


@pytest.mark.parametrize("settings", RUNS.values(), ids=RUNS.keys())
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_a_run_with_these_techniques_publishes_a_usual_artefact(tmp_path: Path, settings: dict[str, Any]) -> None:
    config = tiny.config(tmp_path, epochs=1, **settings)
    # An epoch leaves so small a network undecided, and int8 turns many an undecided score.
    config.write_text(config.read_text().replace("flipped = 0.5", "flipped = 1.0").replace("loss = 0.1", "loss = 1.0"))
    assert main(["run", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0
    artefact = Store(tmp_path / "store").open()
    assert artefact.golden().replay(artefact.classifier()) < 1e-4
    assert artefact.classifier().scores([Paper("a quantum star", "of the plasma " * 30)]).shape == (1, 3)
    graph = onnx.load_model_from_string(artefact.files["model.onnx"]).graph
    assert [value.name for value in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [value.name for value in graph.output] == ["probabilities", "distance"]


def test_a_frozen_encoder_is_the_same_after_training(tmp_path: Path) -> None:
    config = tiny.config(tmp_path, epochs=1, within={"encoder": "freeze = true"})
    assert main(["fit", str(config), "--runs", str(tmp_path / "runs")]) == 0
    fitted = load_file(tmp_path / "runs/tiny-0.1.0/network.safetensors")
    for name, weights in load_file(tmp_path / "encoder/model.safetensors").items():
        assert (fitted[f"encoder.{name}"] == weights).all(), name


def test_heads_are_saved_but_a_loss_and_an_average_are_not(tmp_path: Path) -> None:
    trained = '[loss]\nkind = "class_balanced"\n[auxiliary]\ncolumn = "ABSTRACT"\nfewest = 30\n'
    config = tiny.config(tmp_path, epochs=1, extra=trained, within={"fit": 'averaging = "ema"'})
    assert main(["fit", str(config), "--runs", str(tmp_path / "runs")]) == 0
    names = load_file(tmp_path / "runs/tiny-0.1.0/network.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"encoder", "head", "auxiliary"}
