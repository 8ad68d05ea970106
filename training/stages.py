"""The stages of a run in order: pretrain → fit → ngrams → baseline → publish. Each writes a file for the next one."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import set_seed

from model_store.memory import keep_freed_memory
from model_store.papers import PaperEncoder
from model_store.store import Store
from training.config import EncoderConfig, NgramsConfig
from training.data.batches import EncodedPapers
from training.data.cleaning import has_text
from training.data.corpus import read_corpus
from training.data.papers import Papers
from training.data.texts import read_texts
from training.errors import ConfigError, DataError
from training.evaluation.baseline import baseline
from training.fitting import pretrain as pretraining
from training.fitting import teacher
from training.fitting.distributed import ProcessGroup, wait_for_all
from training.fitting.fit import fit as fit_network
from training.fitting.ngrams import fit_ngrams, save_ngrams
from training.model.losses import LabelLoss, TeacherLoss, rates_as_biases
from training.model.network import SubjectNetwork, load_network
from training.model.pretrained import pad_id, read_encoder, read_tokenizer
from training.model.weights import continue_from, save_weights
from training.preflight import check_category_papers
from training.provenance import Inputs, record, require_same
from training.publishing.edition import further_edition, main_edition
from training.publishing.publish import publish as publish_edition
from training.run import TrainingRun

_LOG = logging.getLogger("training")


def pretrain(run: TrainingRun, *, resume: bool) -> None:
    """Further pre-training with masked words; with `resume`, continue an interrupted call from its last checkpoint."""
    config, run_dir = run.config.pretrain, run.dir
    if config is None:
        raise ConfigError("the configuration has no [pretrain]; an empty section takes the training papers")
    inputs = Inputs.of_pretraining(run.config, run.corpus)
    if resume:
        require_same(run_dir.encoder_inputs, inputs)
    if resume and run_dir.encoder.exists():
        _LOG.info("%s exists: further pre-training is done", run_dir.encoder)
        return
    if ProcessGroup.from_environment().is_main:
        if not resume:
            for folder in (run_dir.encoder, run_dir.pretraining):
                shutil.rmtree(folder, ignore_errors=True)
        record(run_dir.encoder_inputs, inputs)
    keep_freed_memory()
    set_seed(run.config.seed)
    corpus = run.corpus
    papers = read_texts(config.texts, corpus.held_out, run.config.seed) if config.texts else corpus.train.papers
    _LOG.info("further pre-training on %d papers", len(papers))
    model = pretraining.pretrain(
        run.config.encoder,
        papers,
        config,
        run.config.cut_to(config.max_tokens),
        seed=run.config.seed,
        folder=run_dir.pretraining,
        resume=resume,
    )
    if ProcessGroup.from_environment().is_main:
        _save_encoder(model, run)
    wait_for_all()


def fit(run: TrainingRun, *, resume: bool) -> None:
    """Fine-tune and save the best network; with `resume`, continue an interrupted call from its last checkpoint."""
    config, weights = run.config, run.dir.weights
    if resume:
        run.require_same_inputs()
    if resume and weights.exists():
        _LOG.info("%s exists: fitting is done", weights)
        return
    keep_freed_memory()
    set_seed(config.seed)
    network = _training_network(run)
    tokenizer = read_tokenizer(config.encoder.source)
    encoder = PaperEncoder(tokenizer, config.training_input)
    papers = _training_papers(run).with_titles_alone(config.fit.titles_alone, config.seed, has_text)
    train, validation = EncodedPapers(encoder, papers), EncodedPapers(encoder, run.corpus.validation)
    # The files of an earlier fit are removed last, when nothing can stop this one any more.
    _prepare_directory(run, resume=resume)
    fit_network(
        network,
        train,
        validation,
        config.fit,
        pad_id=pad_id(tokenizer),
        seed=config.seed,
        folder=run.dir.checkpoints,
        resume=resume,
    )
    if ProcessGroup.from_environment().is_main:
        save_weights(network, weights, run.corpus.labels, run.corpus.categories)


def ngrams(run: TrainingRun, *, resume: bool) -> None:
    """Fit the model of word pieces and pairs, and save it; with `resume`, only if it is not there yet."""
    config = run.config
    if config.ngrams is None:
        raise ConfigError("the configuration has no [ngrams]")
    if resume and run.dir.ngrams.exists():
        _LOG.info("%s exists: the n-grams are fitted", run.dir.ngrams)
        return
    tokenizer = read_tokenizer(config.encoder.source)
    papers = _ngram_papers(run, config.ngrams)
    _LOG.info("%d papers with categories for the n-grams", len(papers))
    model = fit_ngrams(
        EncodedPapers(PaperEncoder(tokenizer, config.input), papers),
        papers.targets,
        read_encoder(config.encoder.source, token_types=config.input.token_types).vocabulary,
        config.ngrams,
        pad_id=pad_id(tokenizer),
        seed=config.seed,
    )
    save_ngrams(model, run.dir.ngrams, config.ngrams, run.corpus.categories)


def measure_baseline(run: TrainingRun) -> dict[str, float]:
    """Train and measure TF-IDF with logistic regression on the same papers; DataError if there are too few."""
    figures = baseline(run.corpus)
    run.dir.baseline.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def publish(run: TrainingRun, store: Store, name: str | None = None) -> list[Path]:
    """Quantize the fitted network, check its gates and publish it, and then the further artefacts of [[publish]].

    With `name`, only the artefact of this name. Returns their folders.
    """
    network = load_fitted(run)
    main = main_edition(run, network, baseline_figures(run))
    editions = [
        main,
        *(further_edition(main, network, run, wanted) for wanted in run.config.publish if name in (None, wanted.name)),
    ]
    chosen = [edition for edition in editions if name in (None, edition.name)]
    return [publish_edition(run, edition, read_tokenizer(run.config.encoder.source), store) for edition in chosen]


def baseline_figures(run: TrainingRun) -> dict[str, float] | None:
    """Figures of the baseline, measured now if that was not done yet; None if it cannot be trained."""
    if run.dir.baseline.exists():
        figures: dict[str, float] = json.loads(run.dir.baseline.read_text())
        return figures
    try:
        return measure_baseline(run)
    except DataError as error:
        # The baseline is only for comparison, so the network is published without it.
        _LOG.warning("no baseline: %s", error)
        return None


def load_fitted(run: TrainingRun) -> SubjectNetwork:
    """The network with its fitted weights, in evaluation mode; ConfigError if it has not been fitted."""
    if not run.dir.weights.exists():
        raise ConfigError(f"{run.dir.weights} does not exist: fit the run first")
    run.require_same_inputs()
    network = _new_network(run, run.config.encoder)
    weights = load_file(run.dir.weights)
    auxiliary = weights.get("auxiliary.linear.weight")
    if run.config.auxiliary and auxiliary is not None:
        network.add_auxiliary_head(len(auxiliary), run.config.auxiliary)
    network.load_state_dict(weights)
    return network.eval()


def write_encoder(run: TrainingRun, folder: Path) -> None:
    """Write the fitted encoder and its tokenizer in the Hugging Face layout; ConfigError if the run is not fitted."""
    pretraining.save_encoder(load_fitted(run).encoder, run.config.encoder.source, folder)


def validation_logits(run: TrainingRun, network: SubjectNetwork) -> NDArray[np.float32]:
    """Logits of the validation papers at the length they are served with; shape (papers, labels)."""
    tokenizer = read_tokenizer(run.config.encoder.source)
    papers = EncodedPapers(PaperEncoder(tokenizer, run.config.input), run.corpus.validation)
    return teacher.score(network, papers, pad_id(tokenizer))


def _ngram_papers(run: TrainingRun, config: NgramsConfig) -> Papers:
    """Papers with known categories, which are their targets."""
    train = run.corpus.train
    if config.train:
        data = run.config.data.model_copy(update={"train": config.train, "sample": None, "share": 1.0})
        train = read_corpus(data, run.config.seed, run.config.auxiliary, run.corpus.categories).train
        check_category_papers(run.config, run.corpus.categories, train.papers)
    categories = cast("NDArray[np.float32]", train.categories)  # RunConfig refuses [ngrams] without [auxiliary]
    known = np.flatnonzero(np.isfinite(categories[:, 0]))
    return Papers([train.papers[i] for i in known], categories[known])


def _prepare_directory(run: TrainingRun, *, resume: bool) -> None:
    """Remove the files of an earlier fit: a later call with --resume would continue from its checkpoints."""
    if not ProcessGroup.from_environment().is_main:
        return
    if not resume:
        run.start_over()
    elif not run.dir.inputs.exists():
        run.record_inputs()


def _new_network(run: TrainingRun, encoder: EncoderConfig) -> SubjectNetwork:
    config = run.config
    chunked = config.input.chunks is not None
    labels = len(run.corpus.labels)
    return load_network(encoder, config.head, labels, config.features, chunked=chunked, exits=config.exits)


def _training_network(run: TrainingRun) -> SubjectNetwork:
    """A new network with its loss and with the heads that only training needs."""
    config, train = run.config, run.corpus.train
    network = _new_network(run, _starting_encoder(run))
    network.loss = LabelLoss(config.loss, torch.from_numpy(train.targets.sum(axis=0)), len(train))
    if config.loss.start_at_rates:
        network.start_at(rates_as_biases(train.targets))
        if network.exits is not None:
            network.exits.start_at(rates_as_biases(train.targets))
    if config.auxiliary and train.categories is not None:
        network.add_auxiliary_head(train.categories.shape[1], config.auxiliary)
    if config.fit.continue_from:
        continue_from(network, config.fit.continue_from, run.corpus.labels)
    if config.teacher:
        network.teacher = TeacherLoss(config.teacher)
    return network


def _training_papers(run: TrainingRun) -> Papers:
    """The training papers, with the teachers' logits if there are teachers."""
    train, config = run.corpus.train, run.config.teacher
    return replace(train, teacher=teacher.read_scores(config.scores, train, run.corpus.labels)) if config else train


def _starting_encoder(run: TrainingRun) -> EncoderConfig:
    """The encoder that fine-tuning starts from: as configured, or after further pre-training."""
    if run.config.pretrain is None:
        return run.config.encoder
    if not run.dir.encoder.exists():
        raise ConfigError(
            f"{run.dir.encoder} does not exist, and the configuration has a [pretrain]: "
            "call `python -m training pretrain` first, or `run` for all stages"
        )
    require_same(run.dir.encoder_inputs, Inputs.of_pretraining(run.config, run.corpus))
    return run.config.encoder.model_copy(update={"source": str(run.dir.encoder)})


def _save_encoder(model: pretraining.MaskedWordModel, run: TrainingRun) -> None:
    partial = run.dir.encoder.with_name("encoder.partial")
    for folder in (partial, run.dir.encoder):
        shutil.rmtree(folder, ignore_errors=True)
    pretraining.save_encoder(model.bert, run.config.encoder.source, partial)
    partial.rename(run.dir.encoder)
