"""`python -m training import`: a classifier that was fine-tuned elsewhere becomes a published artefact."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from model_store.labels import slug
from model_store.papers import InputFormat
from model_store.store import Store
from training.config import EncoderConfig, GoldenPaper, PublishConfig, RunConfig, ScopeConfig, validated
from training.data.column_roles import ColumnChoice
from training.drafting.toml_text import quoted
from training.importing.calibration_papers import data_config, read_calibration_papers
from training.importing.fine_tuned import read_classifier
from training.importing.label_names import read_labels
from training.importing.paper_layout import Wanted, input_format
from training.model.imported import Network, imported_network
from training.model.pretrained import read_tokenizer
from training.publishing.edition import Edition, LabelText
from training.publishing.publish import publish
from training.publishing.unmeasured import publish_unmeasured
from training.run import TrainingRun
from training.run_dir import RunDir

_LOG = logging.getLogger("training")

_GOLDEN = (
    GoldenPaper(
        title="Outcomes after hip fracture surgery in patients over ninety",
        abstract="We reviewed the records of 412 patients. Delay of more than 48 hours was associated with death.",
    ),
    GoldenPaper(
        title="A graph neural network for the detection of gravitational waves",
        abstract="We train a network on simulated signals and compare its sensitivity with that of matched filtering.",
    ),
    GoldenPaper(title="A title without an abstract"),
)


@dataclass(frozen=True)
class Import:
    """What to import, and what is known of it."""

    source: str
    """A folder in the Hugging Face layout, or a hub id."""
    labels: Sequence[str] = ()
    """Names or a table, see training.importing.label_names; empty: those of the model's configuration."""
    papers: Path | None = None
    """Labelled papers to calibrate with, which the model was not fine-tuned on."""
    name: str | None = None
    """None: made of the source."""
    version: str = "0.1.0"
    licence: str = "not stated"
    sigmoid: bool = False
    """Whether it was fine-tuned with a sigmoid although its configuration does not say so."""
    layout: Wanted = Wanted()  # noqa: RUF009  # immutable
    choice: ColumnChoice = ColumnChoice()  # noqa: RUF009  # immutable
    blank_is_negative: bool = False
    seed: int = 0

    @property
    def artefact(self) -> str:
        """The artefact's name."""
        return self.name or slug(Path(self.source).resolve().name if Path(self.source).is_dir() else self.source)


class _Model(NamedTuple):
    """A model that can be served."""

    labels: tuple[LabelText, ...]
    network: Network
    tokenizer: Tokenizer
    imported: str
    """The name of its class."""
    input: InputFormat


def import_model(wanted: Import, store: Store, runs: Path) -> Path:
    """Publish the model and return the artefact's folder; pictures go into a folder below `runs`.

    Raises ConfigError if the model cannot be served, DataError if the papers cannot be used, VersionExists, and
    GateError as `publish` does.
    """
    store.check_free(wanted.artefact, wanted.version)
    model = _read(wanted)
    _LOG.info("%s with %d labels, which reads papers as %s", model.imported, len(model.labels), model.input)
    if wanted.papers is not None:
        return _publish_measured(wanted, wanted.papers, model, store, runs)
    _LOG.warning("no labelled papers: the artefact will be neither calibrated nor measured; --calibrate gives some")
    config = validated(PublishConfig, _settings(wanted, model), "not importable")
    text = _text(wanted, model)
    return publish_unmeasured(config, text, model.labels, model.network, model.imported, model.tokenizer, store)


def _read(wanted: Import) -> _Model:
    classifier = read_classifier(wanted.source, sigmoid=wanted.sigmoid)
    labels = read_labels(wanted.labels, classifier.names, classifier.outputs)
    tokenizer = read_tokenizer(wanted.source, "model")
    format_ = input_format(tokenizer, wanted.layout, positions=classifier.positions, token_types=classifier.token_types)
    network = imported_network(classifier.model, token_types=format_.token_types)
    return _Model(labels, network, tokenizer, classifier.architecture, format_)


def _publish_measured(wanted: Import, papers: Path, model: _Model, store: Store, runs: Path) -> Path:
    scope = ScopeConfig()
    names = tuple(label.name for label in model.labels)
    data = data_config(papers, names, wanted.choice, blank_is_negative=wanted.blank_is_negative)
    corpus = read_calibration_papers(data, scope, wanted.seed)
    has_scope = len(corpus.train) > 0
    settings = _settings(wanted, model) | {"data": data, "scope": scope if has_scope else None}
    config = validated(RunConfig, settings, "not importable")
    run = TrainingRun(config, _text(wanted, model), corpus, RunDir(runs / f"{config.name}-{config.version}"))
    limits = [
        f"Whether the papers in {papers.name} were among those that the model was fine-tuned on is not known here; if "
        "so, all figures are too good."
    ]
    if not has_scope:
        limits.append(f"No text is ever out of scope: {len(corpus.validation)} papers are too few to learn that from.")
    edition = Edition(
        name=config.name,
        version=config.version,
        limits=(*config.limits, *limits),
        input=config.input,
        labels=model.labels,
        network=model.network,
        validation=corpus.validation,
        test=None,
        imported=model.imported,
    )
    return publish(run, edition, model.tokenizer, store)


def _settings(wanted: Import, model: _Model) -> dict[str, Any]:
    """What publishing reads, as keys of its configuration."""
    limits = ["Fine-tuned elsewhere: on which papers, and how well their labels were known, is not known here."]
    if wanted.layout.layout is None:
        limits.append(
            "That it was fine-tuned on title and abstract as one text is an assumption (--input was not given)."
        )
    return {
        "name": wanted.artefact,
        "version": wanted.version,
        "licence": wanted.licence,
        "limits": limits,
        "seed": wanted.seed,
        "encoder": EncoderConfig(source=wanted.source),
        "input": model.input,
        "golden": _GOLDEN,
    }


def _text(wanted: Import, model: _Model) -> str:
    """The import as TOML, for the manifest."""
    lines = ["# python -m training import", "[import]", f"model = {quoted(wanted.source)}"]
    lines += [f"sigmoid = {str(wanted.sigmoid).lower()}", f"seed = {wanted.seed}"]
    lines += [f"calibrate = {quoted(str(wanted.papers))}"] if wanted.papers else []
    lines += [f"labels = [{', '.join(quoted(label.name) for label in model.labels)}]", "[input]"]
    values = model.input.model_dump(exclude_none=True)
    return "\n".join(lines + [f"{key} = {_value(value)}" for key, value in values.items()]) + "\n"


def _value(value: str | int | bool) -> str:
    return quoted(value) if isinstance(value, str) else str(value).lower()
