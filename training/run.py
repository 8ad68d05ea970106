"""A run, stage by stage: corpus → fit → export → quantize → thresholds → verify → publish."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import set_seed

from model_store.papers import PaperEncoder
from training.batches import EncodedPapers
from training.config import RunConfig
from training.corpus import Corpus, read_corpus
from training.fit import fit
from training.network import SubjectNetwork, load_network, load_tokenizer

_LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Workplace:
    """Where a run keeps what it makes before it publishes."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def weights(self) -> Path:
        return self.folder / "network.safetensors"


def fit_stage(config: RunConfig, place: Workplace, *, resume: bool) -> None:
    """Fine-tune and leave the best network's weights in the workplace."""
    corpus = read_corpus(config.data, config.seed)
    for path, counts in corpus.report.items():
        _LOG.info("%s: %s", path, ", ".join(f"{key} {value}" for key, value in counts.items()))
    _LOG.info("%d training and %d validation papers", len(corpus.train), len(corpus.validation))
    set_seed(config.seed)
    network = load_network(config.encoder, config.head, len(corpus.labels))
    tokenizer = load_tokenizer(config.encoder.source)
    encoder = PaperEncoder(tokenizer, config.training_input)
    place.folder.mkdir(parents=True, exist_ok=True)
    fit(
        network,
        EncodedPapers(encoder, corpus.train),
        EncodedPapers(encoder, corpus.validation),
        config.fit,
        pad_id=tokenizer.token_to_id("[PAD]"),
        seed=config.seed,
        folder=place.checkpoints,
        resume=resume,
    )
    save_file(network.state_dict(), place.weights)


def fitted_network(config: RunConfig, corpus: Corpus, place: Workplace) -> SubjectNetwork:
    """The network that `fit_stage` left, on the CPU and in evaluation mode."""
    network = load_network(config.encoder, config.head, len(corpus.labels))
    network.load_state_dict(load_file(place.weights))
    return network.to(torch.device("cpu")).eval()
