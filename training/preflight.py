"""Checks before a run starts: whether it can be fitted and published."""

import os
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from model_store.papers import Paper, PaperEncoder
from model_store.store import Store
from training.config import RunConfig
from training.data.corpus import Corpus
from training.data.folds import folds
from training.data.papers import paper_key
from training.errors import ConfigError
from training.fitting.distributed import ProcessGroup
from training.fitting.teacher import read_scores
from training.model.network import SubjectNetwork, load_network
from training.model.pretrained import EncoderFacts, read_encoder, read_tokenizer
from training.model.weights import require_labels
from training.publishing.bert import is_supported
from training.publishing.category_papers import read_category_papers

# The limit of model_store.labels.Label.
_LONGEST_NAME = 1000


def check_version(config: RunConfig, store: Store, name: str | None = None) -> None:
    """Refuse a version that is taken and a store that cannot be written, before any data is read.

    With `name`, only this one of the run's artefacts is to be published; ConfigError if the run has none of this name.
    """
    versions = {config.name: config.version} | {wanted.name: wanted.version for wanted in config.publish}
    if name is not None and name not in versions:
        raise ConfigError(f"the run has no artefact {name!r}; it has {', '.join(versions)}")
    for one in versions if name is None else [name]:
        store.check_free(one, versions[one])
    there = next(path for path in (store.root, *store.root.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise ConfigError(f"{store.root} cannot be written, so nothing could be published; name another --store")


def check_run(config: RunConfig, corpus: Corpus) -> None:
    """Refuse a run that would end in an error after it has been fitted.

    Raises ConfigError, or DataError where a teacher's scores do not fit the papers.
    """
    encoder = read_encoder(config.encoder.source, token_types=config.input.token_types)
    _check_lengths(config, encoder)
    tokenizer = read_tokenizer(config.encoder.source)
    _check_tokens(config, tokenizer, encoder)
    _check_layers(config, encoder, _load_network(config, corpus))
    check_category_papers(config, corpus.categories, corpus.train.papers)
    _check_golden(config, PaperEncoder(tokenizer, config.input))
    _check_labels(corpus)
    if config.fit.continue_from:
        require_labels(config.fit.continue_from, corpus.labels)
    if config.thresholds.aim == "precision":
        _check_positives(config, corpus)
    if config.teacher:
        read_scores(config.teacher.scores, corpus.train, corpus.labels)
    for batch_size in (config.fit.batch_size, config.pretrain.batch_size if config.pretrain else 0):
        ProcessGroup.from_environment().per_process(batch_size)


def _check_lengths(config: RunConfig, encoder: EncoderFacts) -> None:
    for key, tokens in (("input", config.input.max_tokens), ("fit", config.fit.max_tokens)):
        if tokens > encoder.positions:
            source = config.encoder.source
            raise ConfigError(
                f"{key}.max_tokens is {tokens}, the encoder {source!r} reads at most {encoder.positions} word pieces"
            )


def _check_layers(config: RunConfig, encoder: EncoderFacts, network: SubjectNetwork) -> None:
    layer = config.scope.layer if config.scope else None
    if layer is None:
        return
    kept = min(config.features.top or encoder.layers, encoder.layers)
    if layer > kept:
        raise ConfigError(f"[scope] layer is {layer}, the encoder has {kept}; name one of them, or leave it out")
    # As in publishing: exits are published only where the graph can be cut.
    exits = config.exits if is_supported(network.encoder) else None
    first_exit = min(exits.layers) if exits and exits.heads else kept
    cuts = [wanted.cut_after for wanted in config.publish if wanted.cut_after is not None]
    lowest = min([first_exit, *cuts])
    if layer > lowest:
        what = "first exit is" if lowest == first_exit else "`cut_after` of an artefact in [[publish]] is"
        raise ConfigError(
            f"[scope] layer is {layer}, but the {what} {lowest}; name that layer or a lower one, or leave it out"
        )


def _check_tokens(config: RunConfig, tokenizer: Tokenizer, encoder: EncoderFacts) -> None:
    source, pieces = config.encoder.source, tokenizer.get_vocab_size()
    if pieces <= len(tokenizer.get_added_tokens_decoder()):
        raise ConfigError(
            f"encoder {source!r} has no vocabulary; expected tokenizer.json or vocab.txt beside its weights"
        )
    if pieces > encoder.vocabulary:
        raise ConfigError(
            f"the tokenizer of encoder {source!r} has {pieces} word pieces, its weights have {encoder.vocabulary}; "
            "give the tokenizer that belongs to the weights"
        )
    for key in ("cls_token", "sep_token"):
        token = getattr(config.input, key)
        if tokenizer.token_to_id(token) is None:
            raise ConfigError(f"input.{key} is {token!r}, which the encoder's tokenizer does not know; name its own")


def _load_network(config: RunConfig, corpus: Corpus) -> SubjectNetwork:
    """Load the weights once: they may be damaged, of another size, or have fewer layers than [exits] names."""
    labels, chunked = len(corpus.labels), config.input.chunks is not None
    return load_network(config.encoder, config.head, labels, config.features, chunked=chunked, exits=config.exits)


def check_category_papers(config: RunConfig, categories: Sequence[str], learned: Sequence[Paper]) -> None:
    """Refuse papers of an artefact of categories that are among those learned from.

    Raises ConfigError, or DataError if a file has no paper of the categories.
    """
    files = [(wanted.name, path) for wanted in config.publish for path in (wanted.validation, wanted.test) if path]
    learned_keys = {paper_key(paper) for paper in learned} if files else set()
    for name, path in files:
        keys = {paper_key(paper) for paper in read_category_papers(path, categories).papers.papers}
        if shared := keys & learned_keys:
            raise ConfigError(
                f"[[publish]] {name}: {len(shared)} of the {len(keys)} papers of {path} are also training papers; "
                "expected none, since thresholds and figures would rest on papers that were learned. Name the file in "
                "data.held_out"
            )


def _check_golden(config: RunConfig, encoder: PaperEncoder) -> None:
    for golden in config.golden:
        if not encoder.has_text(Paper(golden.title, golden.abstract)):
            raise ConfigError(
                f"the golden paper {golden.title!r} has no text after its preparation ({config.input.preparation}); "
                "give another title or abstract"
            )


def _check_labels(corpus: Corpus) -> None:
    for name in corpus.labels:
        if not 0 < len(name) <= _LONGEST_NAME:
            raise ConfigError(f"the label {name[:60]!r}... has {len(name)} letters; expected 1 to {_LONGEST_NAME}")


def _check_positives(config: RunConfig, corpus: Corpus) -> None:
    """Thresholds for a precision are chosen on folds: each fold's other papers need one of every label."""
    targets = corpus.validation.targets
    for others, _ in folds(len(targets), config.seed):
        for missing in np.flatnonzero(targets[others].sum(axis=0) == 0):
            raise ConfigError(
                f"label {corpus.labels[missing]!r} has {int(targets[:, missing].sum())} of {len(targets)} validation "
                'papers, too few to choose a threshold for a precision; set aim = "f1" in [thresholds], give more '
                "validation papers, or leave the label out"
            )
