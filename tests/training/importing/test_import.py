"""A classifier that was fine-tuned elsewhere becomes an artefact, with labelled papers and without."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from model_store.artefact import Artefact
from model_store.papers import Paper
from model_store.store import Store
from tests.training import tiny
from tests.training.importing import models
from training.__main__ import main

# The exporter of torch warns of what itself will drop.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch"
)

KINDS = ("bert", "roberta", "distilbert", "deberta", "modernbert")
PAPERS = [Paper("a proof of the theorem", "we star the network"), Paper("quantum plasma")]


def run_import(folder: Path, model: Path, *options: str) -> int:
    where = ["--store", str(folder / "store"), "--runs", str(folder / "runs")]
    return main(["import", str(model), *where, *options])


def expected(model: Path, papers: list[Paper], *, joined: bool) -> np.ndarray:
    """Probabilities by transformers alone, as the model's own user would compute them."""
    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForSequenceClassification.from_pretrained(model)
    rows = []
    for title, abstract in papers:
        texts = (f"{title} {abstract}".strip(),) if joined or not abstract else (title, abstract)
        inputs = tokenizer(*texts, return_tensors="pt", return_token_type_ids="Bert" in type(network).__name__[:4])
        with torch.no_grad():
            rows.append(torch.sigmoid(network(**inputs).logits)[0].numpy())
    return np.stack(rows)


@pytest.fixture(scope="module", params=KINDS)
def unmeasured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artefact]:
    folder = tmp_path_factory.mktemp("unmeasured")
    model = models.classifier(folder / f"Fine Tuned {request.param}", request.param)
    layout = "joined" if request.param == "distilbert" else "pair"
    assert run_import(folder, model, "--input", layout) == 0
    return model, Store(folder / "store").open(f"fine-tuned-{request.param}")


def test_the_artefact_computes_the_scores_of_the_model(unmeasured: tuple[Path, Artefact]) -> None:
    model, artefact = unmeasured
    classifier = artefact.verified_classifier()
    scores = expected(model, PAPERS, joined=artefact.manifest.input.layout == "joined")
    # int8 of random weights; a lost separator or token type costs ten times as much.
    np.testing.assert_allclose(classifier.scores(PAPERS), scores, atol=0.06)
    assert [label.name for label in artefact.manifest.labels] == ["Biology", "Law", "Poetry"]


def test_what_was_not_measured_is_absent_and_said(unmeasured: tuple[Path, Artefact]) -> None:
    _, artefact = unmeasured
    manifest, card = artefact.manifest, artefact.card()
    assert (manifest.quality, manifest.test, manifest.scope, manifest.calibration.method) == (None, None, None, "none")
    assert {label.threshold for label in manifest.labels} == {0.5}
    assert manifest.quantization.micro_f1_fp32 is None
    assert any(limit.startswith("Never measured") for limit in manifest.limits)
    assert "Never measured" in card
    assert f"a {manifest.provenance.imported} that was fine-tuned elsewhere" in card


def test_a_bert_gets_the_graph_written_for_serving(unmeasured: tuple[Path, Artefact]) -> None:
    _, artefact = unmeasured
    graph = onnx.load_model_from_string(artefact.files["model.onnx"]).graph
    written = any(node.op_type == "MultiHeadAttention" for node in graph.node)
    assert written == (artefact.manifest.provenance.imported == "BertForSequenceClassification")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artefact]:
    folder = tmp_path_factory.mktemp("measured")
    papers = tiny.write_csv(folder / "papers.csv", tiny.papers(240))
    model = models.classifier(folder / "electra", "electra", labels=("LABEL_0", "LABEL_1", "LABEL_2"))
    options = ["--labels", *tiny.LABELS, "--calibrate", str(papers), "--name", "mine", "--licence", "MIT"]
    assert run_import(folder, model, *options) == 0
    return folder, Store(folder / "store").open("mine")


def test_labelled_papers_calibrate_and_measure_the_model(measured: tuple[Path, Artefact]) -> None:
    folder, artefact = measured
    manifest = artefact.manifest
    assert (manifest.quality, manifest.scope, manifest.calibration.method) != (None, None, "none")
    assert manifest.quality is not None
    assert (manifest.quality.papers, manifest.licence) == (120, "MIT")
    assert manifest.provenance.data[str(folder / "papers.csv")]["rows"] == 240  # type: ignore[index, call-overload]
    assert (folder / "runs/mine-0.1.0/report/labels.png").exists()
    result = artefact.verified_classifier().classify(PAPERS[0])
    assert result.output.distance is not None
    assert "papers.csv were among those that the model was fine-tuned on is not known" in artefact.card()


def test_a_layout_that_nobody_stated_is_called_an_assumption(measured: tuple[Path, Artefact]) -> None:
    _, artefact = measured
    assert artefact.manifest.input.layout == "joined"
    assert any("is an assumption" in limit for limit in artefact.manifest.limits)


def test_a_published_version_is_refused_before_the_model_is_read(
    measured: tuple[Path, Artefact], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = measured
    assert run_import(folder, folder / "missing", "--name", "mine") == 2
    assert "already published" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ({"problem_type": "single_label_classification"}, [], "problem_type is single_label_classification, a softmax"),
        ({"problem_type": None}, [], "has 3 outputs and no problem_type, for which transformers takes a softmax"),
        ({"problem_type": "regression"}, [], "problem_type is regression"),
        ({}, ["--labels", "A", "B"], "2 labels are named, but the model has 3 outputs"),
        ({}, ["--labels", "A", "B", "A"], "two labels have the same name: A"),
        ({"id2label": {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}}, [], "does not name its 3 outputs"),
        ({}, ["--max-tokens", "65"], "--max-tokens is 65; expected 8 to 64"),
        ({}, ["--calibrate", "papers.csv"], "holds 40 papers that can be used; expected at least 50"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(
    config: dict[str, object],
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.write_csv(Path("papers.csv"), tiny.papers(40))
    model = models.classifier(tmp_path / "model", "distilbert", labels=tiny.LABELS, **config)
    assert run_import(tmp_path, model, *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_an_encoder_without_a_head_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_import(tmp_path, tiny.encoder(tmp_path / "encoder"), "--sigmoid", "--labels", "A", "B") == 2
    message = capsys.readouterr().err
    assert "has no weights for " in message
    assert "classifier.bias, classifier.weight: it is an encoder" in message


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = models.classifier(tmp_path / "model", "bert")
    config = json.loads((model / "config.json").read_text())
    code = {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.OwnModel"}
    (model / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": code}))
    (model / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert run_import(tmp_path, model) == 2
    assert "holds no model in the Hugging Face layout" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
