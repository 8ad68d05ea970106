"""Scores of a teacher: written, matched to papers, learned from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.config import EncoderConfig, HeadConfig, TeacherConfig
from training.data.batches import Collator, EncodedPapers
from training.data.corpus import read_papers
from training.data.papers import Papers
from training.errors import DataError
from training.evaluation.baseline import held_out_logits
from training.fitting.teacher import read_scores, score, write_scores
from training.model.losses import TeacherLoss
from training.model.network import load_network
from training.model.pretrained import read_tokenizer
from training.run import TrainingRun

LABELS = ("Physics", "Mathematics")
PAPERS = [Paper("a star"), Paper("a proof", "of the theorem"), Paper("a", "proof")]
LOGITS = np.array([[3, -3], [-2, 2], [0, 1]], dtype=np.float32)


def papers(*chosen: int) -> Papers:
    return Papers([PAPERS[i] for i in chosen], np.zeros((len(chosen), 2), dtype=np.float32))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.npz"
    write_scores(path, papers(0, 1, 2), LABELS, LOGITS)
    return path


def test_scores_are_matched_by_paper_and_label(written: Path) -> None:
    found = read_scores([written], papers(2, 0), ("Mathematics", "Physics"))
    assert found.tolist() == [[1, 0], [-3, 3]]


def test_logits_of_several_teachers_are_averaged(written: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    write_scores(other, papers(2, 1, 0), LABELS, LOGITS[::-1] + 2)
    assert read_scores([written, other], papers(0, 1, 2), LABELS).tolist() == (LOGITS + 1).tolist()


def test_papers_that_the_teacher_did_not_score_are_refused(written: Path) -> None:
    more = Papers([*PAPERS, Paper("unheard of")], np.zeros((4, 2), dtype=np.float32))
    with pytest.raises(DataError, match="no scores for 1 of 4 training papers"):
        read_scores([written], more, LABELS)


def test_scores_of_other_labels_are_refused(written: Path) -> None:
    with pytest.raises(DataError, match="scores labels Physics, Mathematics; expected Physics, Biology"):
        read_scores([written], papers(0), ("Physics", "Biology"))


def test_a_file_that_holds_no_scores_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_text("nothing of the kind")
    for name in ("t.npz", "absent.npz"):
        with pytest.raises(DataError, match="cannot be read as a teacher's scores"):
            read_scores([tmp_path / name], papers(0), LABELS)


def test_the_loss_is_least_where_the_network_agrees_with_the_teacher() -> None:
    loss = TeacherLoss(TeacherConfig(scores=(Path("t"),), temperature=2))
    teacher = torch.tensor([[2.0, -1.0]])
    logits = teacher.clone().requires_grad_()
    loss(logits, teacher).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6
    assert loss(teacher + 1, teacher) > loss(teacher, teacher)


def test_a_certain_teacher_gives_the_loss_of_the_labels() -> None:
    loss = TeacherLoss(TeacherConfig(scores=(Path("t"),)))
    logits, labels = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert loss(logits, (labels - 0.5) * 1000).item() == pytest.approx(expected.item())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_a_run_learns_from_the_scores_of_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = ["--runs", str(tmp_path / "runs")]
    teacher = tiny.config(tmp_path, epochs=1)
    assert main(["score", str(teacher), *runs]) == 2
    assert "fit the run first" in capsys.readouterr().err
    assert main(["fit", str(teacher), *runs]) == 0
    assert main(["score", str(teacher), *runs, "--output", str(tmp_path / "t.npz")]) == 0
    sampled = tmp_path / "sampled.npz"
    assert main(["score", str(teacher), *runs, "--output", str(sampled), "--sample", "30"]) == 0
    drawn = TrainingRun.open(teacher, tmp_path / "runs", sample=30).corpus.train
    assert read_scores([sampled], drawn, tiny.LABELS).shape == (30, len(tiny.LABELS))
    taught = f'[teacher]\nscores = ["{tmp_path / "t.npz"}"]\nweight = 1.0\n'
    # Weights start anew from the same seed: with the teacher alone to learn from they end elsewhere.
    student = tiny.config(tmp_path, epochs=1, version="0.2.0", extra=taught, within={"data": "share = 0.5"})
    assert main(["fit", str(student), *runs]) == 0
    assert (tmp_path / "runs/tiny-0.2.0/network.safetensors").exists()


def test_a_published_artefact_can_be_the_teacher(tmp_path: Path) -> None:
    config, store, path = tiny.config(tmp_path), builders.publish(tmp_path / "store"), tmp_path / "t.npz"
    command = ["score", str(config), "--artefact", "latest", "--store", str(tmp_path / "store"), "--sample", "30"]
    assert main([*command, "--output", str(path)]) == 0
    drawn = TrainingRun.open(config, tmp_path, sample=30).corpus.train
    found = read_scores([path], drawn, tiny.LABELS)
    assert found.shape == (30, len(tiny.LABELS))
    scores = store.open().classifier().scores(drawn.papers)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), scores, atol=1e-6)


def test_the_baseline_can_be_the_teacher_and_scores_held_out_papers(tmp_path: Path) -> None:
    config, path = tiny.config(tmp_path), tmp_path / "t.npz"
    assert main(["score", str(config), "--baseline", "--output", str(path), "--runs", str(tmp_path)]) == 0
    corpus = TrainingRun.open(config, tmp_path).corpus
    found = read_scores([path], corpus.train, corpus.labels)
    assert ((found > 0) == (corpus.train.targets > 0)).mean() > 0.8
    shuffled = Papers(corpus.train.papers, np.random.default_rng(0).permutation(corpus.train.targets))
    guessed = held_out_logits(shuffled, seed=1)
    assert abs(np.corrcoef(guessed[:, 0], shuffled.targets[:, 0])[0, 1]) < 0.3


def test_papers_get_the_same_scores_in_a_batch_and_alone(tmp_path: Path) -> None:
    tiny.config(tmp_path)
    _, papers = read_papers(tmp_path / "train.csv")
    source = str(tmp_path / "encoder")
    network = load_network(EncoderConfig(source=source), HeadConfig(), labels=3).eval()
    encoded = EncodedPapers(PaperEncoder(read_tokenizer(source), InputFormat(max_tokens=32)), papers)
    found = score(network, encoded, pad_id=0)
    for i in range(0, len(papers), 40):
        batch = Collator(0)([encoded[i]])
        logits = network(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])["logits"]
        np.testing.assert_allclose(found[i], logits[0].detach().numpy(), atol=1e-5)
    assert found.shape == papers.targets.shape
