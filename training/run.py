"""A run: a validated configuration, its papers and its directory. Its stages are in `training.stages`."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from training.config import RunConfig, read_config
from training.data.corpus import Corpus, read_corpus
from training.model.weights import read_categories
from training.provenance import Inputs, record, require_same
from training.run_dir import RunDir

_LOG = logging.getLogger("training")


@dataclass(frozen=True)
class TrainingRun:
    """Everything that the stages of a run share."""

    config: RunConfig
    text: str
    """The configuration file, verbatim; it becomes part of the manifest."""
    corpus: Corpus
    dir: RunDir

    @classmethod
    def open(cls, config_path: Path, runs: Path, sample: int | None = None) -> "TrainingRun":
        """Read the configuration and its papers, and create the run's directory below `runs`.

        `sample` draws as many training papers as `data.sample` would, without a change of the configuration: the
        files of the run still belong to it. Raises ConfigError or DataError.
        """
        config, text = read_config(config_path)
        drawn = {} if sample is None else {"data": config.data.model_copy(update={"sample": sample})}
        run_dir = RunDir(runs / f"{config.name}-{config.version}")
        run_dir.path.mkdir(parents=True, exist_ok=True)
        return cls(config, text, load_corpus(config.model_copy(update=drawn)), run_dir)

    def require_same_inputs(self) -> None:
        """ConfigError if the files of the run were made from another configuration or other data."""
        require_same(self.dir.inputs, Inputs.of(self.config, self.corpus))

    def start_over(self) -> None:
        """Remove the files of an earlier fit and record the inputs of this one."""
        shutil.rmtree(self.dir.checkpoints, ignore_errors=True)
        for path in (self.dir.weights, self.dir.ngrams, self.dir.baseline):
            path.unlink(missing_ok=True)
        self.record_inputs()

    def record_inputs(self) -> None:
        """Record the inputs from which the files of the run are made."""
        record(self.dir.inputs, Inputs.of(self.config, self.corpus))


def load_corpus(config: RunConfig) -> Corpus:
    """Read the papers of a run and log how many were kept and left out.

    Errors as of `read_corpus`; also ConfigError if the weights that training continues from cannot be read.
    """
    earlier = config.fit.continue_from if config.auxiliary else None
    known = read_categories(earlier) if earlier else ()
    corpus = read_corpus(config.data, config.seed, config.auxiliary, known)
    for path, counts in corpus.report.items():
        _LOG.info("%s: %s", path, ", ".join(f"{key} {value}" for key, value in counts.items()))
    _LOG.info("%d training papers, %d validation papers", len(corpus.train), len(corpus.validation))
    return corpus
