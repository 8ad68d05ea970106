"""An edition: one artefact to be made from a fitted network, with its labels, validation and test papers."""

import csv
from dataclasses import dataclass, replace
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.labels import label_ids, slug
from model_store.papers import InputFormat
from training.config import ArtefactConfig
from training.data.papers import Papers
from training.errors import ConfigError
from training.fitting.ngrams import load_ngrams
from training.model.derived import cut_after, with_categories
from training.model.imported import Network
from training.model.network import SubjectNetwork
from training.model.ngrams import Ngrams
from training.publishing.bert import is_supported
from training.publishing.category_papers import read_category_papers
from training.run import TrainingRun


class LabelText(NamedTuple):
    """A label's words, as `model_store.labels.Label` has them."""

    id: str
    name: str
    title: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Edition:
    """An artefact to be published."""

    name: str
    version: str
    limits: tuple[str, ...]
    input: InputFormat
    labels: tuple[LabelText, ...]
    network: Network
    validation: Papers
    test: Papers | None
    """Papers that are only reported on."""
    validation_primary: NDArray[np.intp] | None = None
    """Of categories: the column of each paper's primary one, (papers,)."""
    test_primary: NDArray[np.intp] | None = None
    exit_layers: tuple[int, ...] = ()
    """Layers with early exits, of which the best are published."""
    baseline: dict[str, float] | None = None
    imported: str | None = None
    """The class of a model that was fine-tuned elsewhere."""

    @property
    def ids(self) -> list[str]:
        return [label.id for label in self.labels]

    @property
    def layers(self) -> int:
        """Of the encoder."""
        return int(self.network.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]


def main_edition(run: TrainingRun, network: SubjectNetwork, baseline: dict[str, float] | None) -> Edition:
    """The artefact that the configuration as a whole describes."""
    config, corpus = run.config, run.corpus
    exits = config.exits if is_supported(network.encoder) else None
    return Edition(
        name=config.name,
        version=config.version,
        limits=config.limits,
        input=config.input,
        labels=tuple(LabelText(id_, name) for id_, name in zip(label_ids(corpus.labels), corpus.labels, strict=True)),
        network=network,
        validation=corpus.validation,
        test=corpus.test,
        exit_layers=tuple(sorted(exits.layers)) if exits and exits.heads else (),
        baseline=baseline,
    )


def further_edition(main: Edition, network: SubjectNetwork, run: TrainingRun, wanted: ArtefactConfig) -> Edition:
    """One of the further artefacts in [[publish]] of a network; ConfigError if the network lacks the head."""
    made = replace(
        main,
        name=wanted.name,
        version=wanted.version,
        limits=main.limits if wanted.limits is None else wanted.limits,
        input=main.input.model_copy(update={"max_tokens": wanted.max_tokens or main.input.max_tokens}),
        exit_layers=(),
    )
    if wanted.labels == "categories":
        return _of_categories(made, network, run, wanted)
    if wanted.cut_after is not None:
        return replace(made, network=cut_after(network, wanted.cut_after))
    return made


def _of_categories(main: Edition, network: SubjectNetwork, run: TrainingRun, wanted: ArtefactConfig) -> Edition:
    categories, categorized = run.corpus.categories, with_categories(network, _ngrams(network, run))
    if wanted.validation is None:
        raise ConfigError(
            f'[[publish]] {wanted.name} has `labels = "categories"`, but no `validation`: name a file of papers with '
            "categories that the run did not train on"
        )
    validation = read_category_papers(wanted.validation, categories)
    test = read_category_papers(wanted.test, categories) if wanted.test else None
    return replace(
        main,
        labels=tuple(label_of_category(name) for name in categories),
        network=categorized,
        validation=validation.papers,
        validation_primary=validation.primary,
        test=test.papers if test else None,
        test_primary=test.primary if test else None,
        baseline=None,
    )


def _ngrams(network: SubjectNetwork, run: TrainingRun) -> Ngrams | None:
    if run.config.ngrams is None:
        return None
    pieces = int(network.encoder.config.vocab_size)  # type: ignore[union-attr, arg-type]
    return load_ngrams(run.dir.ngrams, pieces, run.config.ngrams, run.corpus.categories)


def label_of_category(name: str) -> LabelText:
    """The words of an arXiv category; any other name stands for itself."""
    table = resources.files("training.data").joinpath("arxiv_categories.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        if row["id"] == name:
            return LabelText(name, name, row["name"], row["group"])
    return LabelText(slug(name), name)
