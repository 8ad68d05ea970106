"""Scores of a teacher on the papers of a run, for another run to learn from."""

from pathlib import Path

from model_store.cpus import usable_cpus
from model_store.papers import PaperEncoder
from model_store.store import Artefact
from training.data.batches import EncodedPapers
from training.evaluation.baseline import held_out_logits
from training.fitting import teacher
from training.model.pretrained import pad_id, read_tokenizer
from training.run import TrainingRun
from training.stages import load_fitted


def write_network_scores(run: TrainingRun, path: Path) -> None:
    """Write the fitted network's logits on the training papers."""
    tokenizer = read_tokenizer(run.config.encoder.source)
    papers = EncodedPapers(PaperEncoder(tokenizer, run.config.input), run.corpus.train)
    logits = teacher.score(load_fitted(run), papers, pad_id(tokenizer))
    teacher.write_scores(path, run.corpus.train, run.corpus.labels, logits)


def write_artefact_scores(run: TrainingRun, artefact: Artefact, path: Path) -> None:
    """The same with a published artefact as the teacher."""
    labels = [label.name for label in artefact.manifest.labels]
    logits = teacher.score_as_served(artefact.classifier(), run.corpus.train.papers, usable_cpus())
    teacher.write_scores(path, run.corpus.train, labels, logits)


def write_baseline_scores(run: TrainingRun, path: Path) -> None:
    """The same with TF-IDF as the teacher, whose errors differ from those of a network."""
    train = run.corpus.train
    teacher.write_scores(path, train, run.corpus.labels, held_out_logits(train, run.config.seed))
