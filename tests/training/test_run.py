"""A whole run on a tiny encoder, from files to an artefact that is served; also killed and resumed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import numpy_helper
from safetensors.numpy import load_file

from app.main import create_app
from app.settings import Settings
from model_store.classifier import OnnxGraph
from model_store.errors import VersionExists
from model_store.labels import assigned, log_odds
from model_store.papers import Paper
from model_store.store import Artefact, Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.config import read_config
from training.data.corpus import read_papers
from training.evaluation.metrics import micro_f1
from training.publishing.thresholds import held_out_decisions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("run")
    code = main(["run", str(tiny.config(folder)), "--runs", str(folder / "runs"), "--store", str(folder / "store")])
    assert code == 0
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
class TestWholeRun:
    """One run, made once and checked in several ways."""

    def test_the_artefact_replays_its_golden_papers(self, folder: Path) -> None:
        artefact = Store(folder / "store").open(version="0.1.0")
        assert artefact.golden().replay(artefact.classifier()) < 1e-4

    def test_the_figures_of_the_manifest_are_those_of_the_shipped_file(self, folder: Path) -> None:
        artefact = Store(folder / "store").open()
        _, papers = read_papers(folder / "validation.csv.gz")
        scores = artefact.classifier().scores(papers.papers)
        decisions = assigned(scores, [label.threshold for label in artefact.manifest.labels])
        assert builders.figures(artefact.manifest).micro_f1 == pytest.approx(micro_f1(papers.targets > 0, decisions))

    def test_the_network_learned_the_labels(self, folder: Path) -> None:
        quality = builders.figures(Store(folder / "store").open().manifest)
        assert quality.mean_average_precision > 0.9
        # Thresholds are not those of the highest F1 on these very papers.
        assert quality.micro_f1 > 0.75

    def test_the_manifest_holds_everything_needed_to_repeat_the_run(self, folder: Path) -> None:
        provenance = Store(folder / "store").open().manifest.provenance
        assert provenance.config == (folder / "run.toml").read_text()
        assert provenance.seed == 3
        assert {"torch", "onnxruntime"} <= provenance.libraries.keys()
        assert all(isinstance(facts, dict) and "sha256" in facts for facts in provenance.data.values())

    def test_the_graph_keeps_its_weights_in_int8(self, folder: Path) -> None:
        manifest = Store(folder / "store").open().manifest
        assert manifest.files["model.onnx"].bytes < manifest.quantization.bytes_fp32

    def test_the_graph_holds_no_paths_of_the_training_machine(self, folder: Path) -> None:
        graph = Store(folder / "store").open().files["model.onnx"]
        assert str(Path.cwd()).encode() not in graph
        assert b"site-packages" not in graph

    def test_the_card_has_all_its_sections(self, folder: Path) -> None:
        card = Store(folder / "store").open().card()
        for heading in (
            "## Quality",
            "## Calibration",
            "## Titles without abstracts",
            "## Uncertain papers",
            "## Out of scope",
            "## Quantization",
            "TF-IDF",
        ):
            assert heading in card

    def test_the_pictures_the_card_shows_are_part_of_the_artefact(self, folder: Path) -> None:
        artefact = Store(folder / "store").open()
        shown = re.findall(r"!\[.+\]\((.+)\)", artefact.card())
        assert shown == ["labels.png", "reliability.png"]
        assert all(artefact.files[name].startswith(b"\x89PNG") for name in shown)

    def test_the_probabilities_served_are_the_calibrated_ones(self, folder: Path) -> None:
        artefact = Store(folder / "store").open()
        lines = artefact.manifest.calibration.lines
        slopes, intercepts = np.array([[line.slope, line.intercept] for line in lines.values()]).T
        (encoding,) = artefact.classifier().encode([Paper("a quantum star", "of the plasma")])
        bare, served = (OnnxGraph(graph)(encoding).scores for graph in (bared(artefact), artefact.files["model.onnx"]))
        assert list(lines) == [label.id for label in artefact.manifest.labels]
        assert log_odds(served) == pytest.approx(slopes * log_odds(bare) + intercepts, abs=1e-3)
        assert np.abs(served - bare).max() > 1e-3

    def test_nonsense_is_out_of_scope_and_papers_are_in_scope(self, folder: Path) -> None:
        classifier = Store(folder / "store").open().classifier()
        scope = classifier.manifest.scope
        assert scope is not None
        assert scope.false_alarms < 0.1
        _, papers = read_papers(folder / "validation.csv.gz")
        strange = [Paper("[MASK] zxcv [MASK]", "qwer uiop asdf hjkl " * 5)]
        statuses = [classifier.classify(paper).decision.status for paper in [*strange, *papers.papers]]
        assert statuses[0] == "out_of_scope"
        assert statuses[1:].count("out_of_scope") <= 3

    def test_the_graph_has_two_outputs_probabilities_and_distance(self, folder: Path) -> None:
        model = onnx.load_model_from_string(Store(folder / "store").open().files["model.onnx"])
        assert [output.name for output in model.graph.output] == ["probabilities", "distance"]

    def test_the_manifest_has_held_out_figures(self, folder: Path) -> None:
        artefact, (config, _) = Store(folder / "store").open(), read_config(folder / "run.toml")
        quality = builders.figures(artefact.manifest)
        _, papers = read_papers(folder / "validation.csv.gz")
        scores = artefact.classifier().scores(papers.papers)
        decided = held_out_decisions(papers.targets, scores, scores, config.thresholds, config.seed)
        assert quality.micro_f1_held_out == pytest.approx(micro_f1(papers.targets > 0, decided))
        assert quality.calibration_error is not None
        assert quality.titles is not None
        assert quality.titles.micro_f1 == max(quality.titles.micro_f1_own, quality.titles.micro_f1_common)

    def test_the_service_answers_with_it(self, folder: Path) -> None:
        app = create_app(Settings(artefacts=folder / "store"))
        expected = Store(folder / "store").open().classifier().scores([Paper("a quantum star", "of the plasma")])[0]
        with TestClient(app) as client:
            answer = client.post("/classify", json={"title": "a quantum star", "abstract": "of the plasma"}).json()
        assert list(answer["probabilities"]) == list(tiny.LABELS)
        assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-4)

    def test_evaluations_are_written_to_the_metrics_file(self, folder: Path) -> None:
        lines = (folder / "runs/tiny-0.1.0/checkpoints/metrics.jsonl").read_text().splitlines()
        evaluated = [json.loads(line)["step"] for line in lines if "eval_micro_f1" in line]
        assert evaluated == [12, 24, 36, 48, 60, 72, 75]

    def test_pictures_are_drawn(self, folder: Path) -> None:
        drawn = {path.name for path in (folder / "runs/tiny-0.1.0/report").iterdir()}
        assert drawn == {"labels.png", "reliability.png", "learning.png"}

    def test_a_published_version_is_not_published_again(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["publish", str(folder / "run.toml"), "--runs", str(folder / "runs"), "--store"]
        assert main([*arguments, str(folder / "store")]) == 2
        assert VersionExists.__doc__
        assert "already published" in capsys.readouterr().err


def test_a_taken_version_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store/tiny/0.1.0").mkdir(parents=True)
    arguments = ["run", str(tiny.config(tmp_path)), "--runs", str(tmp_path / "runs"), "--store"]
    assert main([*arguments, str(tmp_path / "store")]) == 2
    assert "already published" in capsys.readouterr().err
    assert not (tmp_path / "runs/tiny-0.1.0/checkpoints").exists()


def test_an_invalid_input_is_an_error_message_and_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.config(tmp_path)
    (tmp_path / "train.csv").write_text("TITLE,ABSTRACT,X\na,b,2\n")
    assert main(["fit", str(path), "--runs", str(tmp_path)]) == 2
    assert "train.csv, row 1, column 'X': holds '2', expected 0 or 1" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_a_run_whose_papers_have_no_words_for_tfidf_is_published_without_a_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config(tmp_path, epochs=1)
    wordless = [row | {"TITLE": f"a b {row['ID']}", "ABSTRACT": "c"} for row in tiny.papers(200)]
    tiny.write_csv(tmp_path / "train.csv", wordless)
    arguments = [str(config), "--runs", str(tmp_path / "runs")]
    assert main(["run", *arguments, "--store", str(tmp_path / "store")]) == 0
    assert builders.figures(Store(tmp_path / "store").open().manifest).baseline is None
    assert main(["baseline", *arguments]) == 2
    assert "TF-IDF cannot be trained on 200 papers" in capsys.readouterr().err


# Techniques that keep a state while training: averaged weights, a second head, another schedule.
STATES = {"fit": 'averaging = "ema"\nschedule = "slanted"'}
WORDS_AS_CATEGORIES = '[auxiliary]\ncolumn = "ABSTRACT"\nfewest = 30\n'


@pytest.mark.parametrize(("within", "extra"), [({}, ""), (STATES, WORDS_AS_CATEGORIES)], ids=["plain", "techniques"])
def test_a_run_that_is_killed_and_resumed_ends_with_the_same_weights(
    tmp_path: Path, within: dict[str, str], extra: str
) -> None:
    config = tiny.config(tmp_path, extra=extra, within=within)
    fit(config, tmp_path / "whole")
    killed = start(config, tmp_path / "cut")
    wait_for(tmp_path / "cut/tiny-0.1.0/checkpoints/checkpoint-24", killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "cut/tiny-0.1.0/network.safetensors").exists()
    fit(config, tmp_path / "cut")
    whole, resumed = (load_file(tmp_path / run / "tiny-0.1.0/network.safetensors") for run in ("whole", "cut"))
    assert whole.keys() == resumed.keys()
    for name, weights in whole.items():
        np.testing.assert_allclose(resumed[name], weights, atol=1e-6, err_msg=name)


def bared(artefact: Artefact) -> bytes:
    """The artefact's graph with its calibration taken out again."""
    model = onnx.load_model_from_string(artefact.files["model.onnx"])
    for constant in model.graph.initializer:
        if constant.name in ("calibration_slopes", "calibration_intercepts"):
            plain = np.full(len(tiny.LABELS), 1.0 if constant.name == "calibration_slopes" else 0.0, dtype=np.float32)
            constant.CopyFrom(numpy_helper.from_array(plain, constant.name))
    return bytes(model.SerializeToString())


def start(config: Path, runs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "training", "fit", str(config), "--runs", str(runs), "--resume"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def fit(config: Path, runs: Path) -> None:
    assert start(config, runs).wait(timeout=300) == 0


def wait_for(checkpoint: Path, process: subprocess.Popen[bytes]) -> None:
    # The state file is written last; killing earlier would test an earlier checkpoint.
    while not (checkpoint / "trainer_state.json").exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
