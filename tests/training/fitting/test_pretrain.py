"""Further pre-training: what is masked, what is learned, what is never read, what a restart changes (nothing)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer, BertForMaskedLM

from model_store.papers import InputFormat, Paper
from model_store.store import Store
from tests.training import tiny
from training.__main__ import main
from training.config import EncoderConfig, PretrainConfig, TextFile, read_config
from training.data.corpus import read_corpus
from training.data.texts import read_texts
from training.errors import ConfigError, DataError
from training.fitting.pretrain import MaskedPapers, MaskedWordModel, pretrain

SECTION = """
[pretrain]
epochs = 4
batch_size = 8
max_tokens = 24
learning_rate = 3e-3
precision = "fp32"
checkpoint_steps = 20
"""
PAPERS = [Paper("a quantum star", "of the plasma and the algebra of manifolds"), Paper("proofs of the theorem")] * 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a whole run with further pre-training has been made."""
    folder = tmp_path_factory.mktemp("pretrain")
    config = tiny.config(folder, epochs=1, extra=SECTION)
    config.write_text(config.read_text().replace("micro_f1_loss = 0.1", "micro_f1_loss = 0.5"))
    assert main(["run", str(config), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 0
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
class TestWholeRun:
    """One run with further pre-training, looked at from several sides."""

    def test_the_loss_on_masked_words_falls(self, folder: Path) -> None:
        lines = (folder / "runs/tiny-0.1.0/pretraining/metrics.jsonl").read_text().splitlines()
        losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
        assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3

    def test_the_encoder_is_saved_in_the_hugging_face_layout(self, folder: Path) -> None:
        kept = folder / "runs/tiny-0.1.0/encoder"
        ids = AutoTokenizer.from_pretrained(kept)("a quantum star", return_tensors="pt")
        assert AutoModel.from_pretrained(kept, add_pooling_layer=False)(**ids).last_hidden_state.isfinite().all()

    def test_fine_tuning_starts_from_it(self, folder: Path) -> None:
        word = "embeddings.word_embeddings.weight"
        start = load_file(folder / "encoder/model.safetensors")[word]
        pretrained = load_file(folder / "runs/tiny-0.1.0/encoder/model.safetensors")[word]
        fitted = load_file(folder / "runs/tiny-0.1.0/network.safetensors")[f"encoder.{word}"]
        assert np.abs(fitted - pretrained).mean() < np.abs(fitted - start).mean()

    def test_the_artefact_names_the_original_encoder(self, folder: Path) -> None:
        artefact = Store(folder / "store").open(version="0.1.0")
        assert artefact.golden().replay(artefact.classifier()) < 1e-4
        assert artefact.manifest.provenance.base_encoder == "encoder"
        assert "[pretrain]" in artefact.manifest.provenance.config


def test_pre_training_that_is_killed_and_resumed_ends_with_the_same_weights(folder: Path, tmp_path: Path) -> None:
    command = ["pretrain", str(folder / "run.toml"), "--runs", str(tmp_path), "--resume"]
    process = subprocess.Popen([sys.executable, "-m", "training", *command], stderr=subprocess.DEVNULL)
    # The state file is written last; killing before would only test an earlier checkpoint.
    while not (tmp_path / "tiny-0.1.0/pretraining/checkpoint-40/trainer_state.json").exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "tiny-0.1.0/encoder").exists()
    assert main(command) == 0
    whole, resumed = (load_file(runs / "tiny-0.1.0/encoder/model.safetensors") for runs in (folder / "runs", tmp_path))
    assert whole.keys() == resumed.keys()
    for name, weights in whole.items():
        np.testing.assert_allclose(resumed[name], weights, atol=1e-6, err_msg=name)
    lines = (tmp_path / "tiny-0.1.0/pretraining/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [*range(2, 102, 2), 100]


def test_fitting_before_pre_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(tiny.config(tmp_path, extra=SECTION)), "--runs", str(tmp_path)]) == 2
    assert "call `python -m training pretrain` first" in capsys.readouterr().err


def test_pre_training_without_its_section_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", str(tiny.config(tmp_path)), "--runs", str(tmp_path)]) == 2
    assert "has no [pretrain]" in capsys.readouterr().err


def test_held_out_papers_are_not_pre_trained_on(tmp_path: Path) -> None:
    config, _ = read_config(tiny.config(tmp_path))
    held_out = read_corpus(config.data, seed=3).validation.papers
    rows = tiny.papers(60, seed=1) + tiny.papers(40, seed=2)
    # The same papers, written with other white space and other case, are still the same.
    shouted = [row | {"TITLE": f"  {row['TITLE']} ".upper()} for row in rows]
    files = {"texts.csv": rows, "shouted.csv": shouted}
    sources = [TextFile(path=tiny.write_csv(tmp_path / name, content)) for name, content in files.items()]
    texts = read_texts(sources, held_out, seed=0)
    assert len(texts) == 40
    assert not {" ".join(paper).lower() for paper in texts} & {" ".join(paper).lower() for paper in held_out}


def test_no_paper_that_figures_rest_on_is_pre_trained_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts hold 60 validation, 30 test and 20 held-out papers, and 40 others."""
    rows = {"validation": tiny.papers(60, seed=1), "test": tiny.papers(30, seed=2), "held": tiny.papers(20, seed=3)}
    texts = [row for part in (*rows.values(), tiny.papers(40, seed=4)) for row in part]
    paths = {
        name: str(tiny.write_csv(tmp_path / f"{name}.csv", part))
        for name, part in {**rows, "texts": texts}.items()
        if name != "validation"
    }
    section = SECTION.replace("epochs = 4", f"epochs = 1\ntexts = [{{ path = {json.dumps(paths['texts'])} }}]")
    data = f"test = {json.dumps(paths['test'])}\nheld_out = [{json.dumps(paths['held'])}]"
    config = tiny.config(tmp_path, extra=section, within={"data": data})
    command = ["pretrain", str(config), "--runs", str(tmp_path)]
    with caplog.at_level("INFO", logger="training"):
        assert main(command) == 0
    assert "further pre-training on 40 papers" in caplog.text
    assert main([*command, "--resume"]) == 0
    for name in ("test.csv", "held.csv", "validation.csv.gz"):
        before = (tmp_path / name).read_bytes()
        tiny.write_csv(tmp_path / name, tiny.papers(50, seed=9))
        assert main([*command, "--resume"]) == 2
        assert f"the content of {tmp_path / name} has changed" in capsys.readouterr().err
        (tmp_path / name).write_bytes(before)
    tiny.write_csv(tmp_path / "train.csv", tiny.papers(150, seed=8))
    assert main([*command, "--resume"]) == 0


def test_a_file_can_be_limited_by_date_and_sample(tmp_path: Path) -> None:
    rows: tiny.Rows = [{"title": f"paper {i}", "abstract": "", "update_date": f"20{i:02}-01-01"} for i in range(20)]
    path = tiny.write_csv(tmp_path / "texts.csv", rows)
    assert len(read_texts([TextFile(path=path, since="2005-01-01", until="2010-01-01")], [], seed=0)) == 5
    assert len(read_texts([TextFile(path=path, sample=7)], [], seed=0)) == 7
    with pytest.raises(DataError, match=r"texts\.csv: no paper is left"):
        read_texts([TextFile(path=path, since="2030-01-01")], [], seed=0)


def test_the_mask_has_the_shares_of_bert(masked: MaskedPapers) -> None:
    """15 % of the pieces; 80 % of these become [MASK], 10 % random, 10 % stay (Devlin et al. 2019, section 3.1)."""
    draws = [masked[drawn] for drawn in range(4000)]
    labels, ids = (torch.cat([draw[name] for draw in draws]) for name in ("labels", "input_ids"))
    chosen = labels != -100
    pieces = int((~torch.isin(torch.where(chosen, labels, ids), torch.tensor([2, 3]))).sum())
    assert float(chosen.sum()) / pieces == pytest.approx(0.15, abs=0.01)
    assert float((ids[chosen] == 4).float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float((ids[chosen] == labels[chosen]).float().mean()) == pytest.approx(0.1, abs=0.03)
    assert not torch.isin(labels, torch.tensor([0, 2, 3])).any()


def test_a_mask_depends_on_seed_epoch_and_paper_alone(masked: MaskedPapers) -> None:
    torch.manual_seed(1)
    first = masked[3]["input_ids"]
    masked[7]
    torch.manual_seed(2)
    assert torch.equal(masked[3]["input_ids"], first)
    again = [masked[3 + epoch * len(masked)]["input_ids"] for epoch in range(1, 6)]
    assert any(not torch.equal(ids, first) for ids in again)


def test_whole_words_are_masked_with_all_their_pieces(tmp_path: Path) -> None:
    masked = make_masked(tmp_path, PretrainConfig(whole_words=True))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for drawn in range(1, 400, 2):
        row = masked[drawn]
        pieces = tokenizer.convert_ids_to_tokens(torch.where(row["labels"] == -100, row["input_ids"], row["labels"]))
        together = pieces.index("proof"), pieces.index("##s")
        assert len({bool(row["labels"][i] == -100) for i in together}) == 1


def test_the_loss_equals_that_of_scoring_all_positions(tmp_path: Path) -> None:
    source = str(tiny.encoder(tmp_path))
    torch.manual_seed(0)
    whole = BertForMaskedLM.from_pretrained(source).eval()
    sparing = MaskedWordModel.from_pretrained(source).eval()
    sparing.load_state_dict(whole.state_dict())
    masked = make_masked(tmp_path, PretrainConfig(mask_share=0.5))
    batch = {name: row[None] for name, row in masked[0].items()}
    assert sparing(**batch)["loss"].item() == pytest.approx(whole(**batch).loss.item(), abs=1e-6)


def test_an_encoder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    with pytest.raises(ConfigError, match="is of type 'roberta'"):
        pretrain(
            EncoderConfig(source=str(tmp_path)), PAPERS, PretrainConfig(), InputFormat(max_tokens=24),
            seed=0, folder=tmp_path / "run", resume=False,
        )  # fmt: skip


@pytest.fixture
def masked(tmp_path: Path) -> MaskedPapers:
    return make_masked(tmp_path, PretrainConfig())


def make_masked(folder: Path, config: PretrainConfig) -> MaskedPapers:
    tokenizer = AutoTokenizer.from_pretrained(tiny.encoder(folder))
    return MaskedPapers(tokenizer, InputFormat(max_tokens=24), PAPERS, config, seed=5)
