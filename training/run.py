"""A run, stage by stage: corpus → pretrain → fit → baseline → publish. Each stage leaves a file the next one reads."""

import json
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import set_seed

from model_store.cpus import usable_cpus
from model_store.papers import PaperEncoder
from model_store.store import Artefact, Store
from training.config import EncoderConfig, RunConfig, read_config
from training.data.batches import EncodedPapers
from training.data.corpus import Corpus, Papers, read_corpus, read_texts
from training.errors import ConfigError
from training.evaluation.baseline import baseline, held_out_logits
from training.fitting.fit import fit
from training.fitting.losses import LabelLoss, TeacherLoss, rates_as_biases
from training.fitting.pretrain import MaskedWordModel, pretrain, save_encoder
from training.fitting.processes import Processes, wait_for_all
from training.fitting.teacher import read_scores, score, score_as_served, write_scores
from training.model.network import SubjectNetwork, load_network, load_tokenizer, pad_id
from training.publishing.publish import Run, publish

_LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Workplace:
    """Where a run keeps what it makes before it publishes."""

    folder: Path
    shared: Path | None = None
    """Where further pre-training works, if other runs start from the same encoder."""

    @property
    def pretraining(self) -> Path:
        """Checkpoints, TensorBoard events and metrics.jsonl of further pre-training."""
        return (self.shared or self.folder) / "pretraining"

    @property
    def encoder(self) -> Path:
        """The encoder after further pre-training; its presence means that this is done."""
        return (self.shared or self.folder) / "encoder"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, TensorBoard events and metrics.jsonl."""
        return self.folder / "checkpoints"

    @property
    def weights(self) -> Path:
        """The fitted network; its presence means that fitting is done."""
        return self.folder / "network.safetensors"

    @property
    def baseline(self) -> Path:
        """Figures of TF-IDF with logistic regression."""
        return self.folder / "baseline.json"


@dataclass(frozen=True)
class TrainingRun:
    """One configuration, its papers and its workplace."""

    config: RunConfig
    text: str
    """The configuration, verbatim."""
    corpus: Corpus
    place: Workplace

    @classmethod
    def open(cls, config_path: Path, runs: Path, sample: int | None = None) -> "TrainingRun":
        """Read the configuration and its papers; ConfigError or DataError say what is wrong with them.

        `sample` draws so many training papers, as if `data.sample` said so.
        """
        config, text = read_config(config_path)
        if sample is not None:
            config = config.model_copy(update={"data": config.data.model_copy(update={"sample": sample})})
        place = Workplace(runs / f"{config.name}-{config.version}")
        place.folder.mkdir(parents=True, exist_ok=True)
        return cls(config, text, papers_of(config), place)

    def pretrain(self, *, resume: bool) -> None:
        """Let the encoder guess masked words and keep it; with `resume`, go on where an earlier call was cut off."""
        wanted = self.config.pretrain
        if wanted is None:
            raise ConfigError("the configuration has no [pretrain]; `[pretrain]` alone takes the training papers")
        if resume and self.place.encoder.exists():
            _LOG.info("%s is there: further pre-training is done", self.place.encoder)
            return
        set_seed(self.config.seed)
        held_out = self.corpus.validation.papers
        papers = read_texts(wanted.texts, held_out, self.config.seed) if wanted.texts else self.corpus.train.papers
        _LOG.info("further pre-training on %d papers", len(papers))
        source, form = self.config.encoder, self.config.cut_to(wanted.max_tokens)
        folder = self.place.pretraining
        model = pretrain(source, papers, wanted, form, seed=self.config.seed, folder=folder, resume=resume)
        if Processes.of().writes:
            self._keep_encoder(model)
        wait_for_all()

    def fit(self, *, resume: bool) -> None:
        """Fine-tune and keep the best network's weights; with `resume`, go on where an earlier call was cut off."""
        if resume and self.place.weights.exists():
            _LOG.info("%s is there: fitting is done", self.place.weights)
            return
        set_seed(self.config.seed)
        network = self._learner()
        tokenizer = load_tokenizer(self.config.encoder.source)
        encoder = PaperEncoder(tokenizer, self.config.training_input)
        fit(
            network,
            EncodedPapers(encoder, self._lesson()),
            EncodedPapers(encoder, self.corpus.validation),
            self.config.fit,
            pad_id=pad_id(tokenizer),
            seed=self.config.seed,
            folder=self.place.checkpoints,
            resume=resume,
        )
        network.auxiliary = None
        if Processes.of().writes:
            save_file(network.state_dict(), self.place.weights)

    def baseline(self) -> dict[str, float]:
        """Train and measure TF-IDF with logistic regression on the same papers."""
        figures = baseline(self.corpus)
        self.place.baseline.write_text(json.dumps(figures, indent=2) + "\n")
        return figures

    def publish(self, store: Store) -> Path:
        """Quantize the fitted network, hold it to its gates and publish it."""
        network = self.fitted()
        figures = json.loads(self.place.baseline.read_text()) if self.place.baseline.exists() else self.baseline()
        tokenizer = load_tokenizer(self.config.encoder.source)
        run = Run(self.place.folder, self.config, self.text, self.corpus, figures)
        return publish(run, network, tokenizer, store)

    def score(self, path: Path) -> None:
        """Write the fitted network's logits on the training papers, as a teacher's for another run."""
        tokenizer = load_tokenizer(self.config.encoder.source)
        papers = EncodedPapers(PaperEncoder(tokenizer, self.config.input), self.corpus.train)
        logits = score(self.fitted(), papers, pad_id(tokenizer))
        write_scores(path, self.corpus.train, self.corpus.labels, logits)

    def score_by(self, artefact: Artefact, path: Path) -> None:
        """The same with a published artefact as the teacher."""
        labels = [label.name for label in artefact.manifest.labels]
        logits = score_as_served(artefact.classifier(), self.corpus.train.papers, usable_cpus())
        write_scores(path, self.corpus.train, labels, logits)

    def score_baseline(self, path: Path) -> None:
        """The same with TF-IDF as the teacher, which goes wrong on other papers than a network does."""
        train = self.corpus.train
        write_scores(path, train, self.corpus.labels, held_out_logits(train, self.config.seed))

    def validation_logits(self, network: SubjectNetwork) -> NDArray[np.float32]:
        """What a network says of the validation papers, as long as they are served; shape (papers, labels)."""
        tokenizer = load_tokenizer(self.config.encoder.source)
        papers = EncodedPapers(PaperEncoder(tokenizer, self.config.input), self.corpus.validation)
        return score(network, papers, pad_id(tokenizer))

    def _network(self, encoder: EncoderConfig) -> SubjectNetwork:
        config = self.config
        chunked = config.input.chunks is not None
        return load_network(encoder, config.head, len(self.corpus.labels), config.features, chunked=chunked)

    def _learner(self) -> SubjectNetwork:
        """The network with all it has for the time of its training alone."""
        config, train = self.config, self.corpus.train
        network = self._network(self._encoder())
        network.loss = LabelLoss(config.loss, torch.from_numpy(train.targets.sum(axis=0)), len(train))
        if config.loss.start_at_rates:
            network.start_at(rates_as_biases(train.targets))
        if config.auxiliary and train.categories is not None:
            network.learn_also(train.categories.shape[1], config.auxiliary.weight)
        if config.teacher:
            network.teacher = TeacherLoss(config.teacher)
        return network

    def fitted(self) -> SubjectNetwork:
        """The network with the weights that fitting left; ConfigError if it has left none."""
        if not self.place.weights.exists():
            raise ConfigError(f"{self.place.weights} is not there: fit the run first")
        network = self._network(self.config.encoder)
        network.load_state_dict(load_file(self.place.weights))
        return network.eval()

    def _lesson(self) -> Papers:
        """The training papers, with what teachers say of them if there are any."""
        train, teacher = self.corpus.train, self.config.teacher
        return replace(train, teacher=read_scores(teacher.scores, train, self.corpus.labels)) if teacher else train

    def _keep_encoder(self, model: MaskedWordModel) -> None:
        # Its presence means that it is whole: it gets its name last.
        made = self.place.encoder.with_name("encoder.part")
        for folder in (made, self.place.encoder):
            shutil.rmtree(folder, ignore_errors=True)
        save_encoder(model, self.config.encoder.source, made)
        made.rename(self.place.encoder)

    def _encoder(self) -> EncoderConfig:
        """The encoder that fine-tuning starts from."""
        if self.config.pretrain is None:
            return self.config.encoder
        if not self.place.encoder.exists():
            raise ConfigError(
                f"{self.place.encoder} is not there, and the configuration has a [pretrain]: "
                "call `python -m training pretrain` first, or `run` for all stages"
            )
        return self.config.encoder.model_copy(update={"source": str(self.place.encoder)})


def papers_of(config: RunConfig) -> Corpus:
    """The papers of a run, their counts logged; errors as of `read_corpus`."""
    corpus = read_corpus(config.data, config.seed, config.auxiliary)
    for path, counts in corpus.report.items():
        _LOG.info("%s: %s", path, ", ".join(f"{key} {value}" for key, value in counts.items()))
    _LOG.info("%d training papers, %d validation papers", len(corpus.train), len(corpus.validation))
    return corpus
