"""Labelled papers for an imported model: some for calibration and thresholds, some for the detector of scope."""

import hashlib
from pathlib import Path

import numpy as np

from training.config import DataConfig, ScopeConfig, Source
from training.data.column_roles import ColumnChoice
from training.data.corpus import Corpus, read_file
from training.data.split import stratified_split
from training.data.targets import with_targets
from training.errors import DataError

# From fewer papers, a threshold and a calibration line for each label would be mostly chance.
_FEWEST = 50
# With fewer papers than this, all are needed for thresholds, and nothing is left for the detector.
_FEWEST_WITH_SCOPE = 200


def data_config(path: Path, labels: tuple[str, ...], choice: ColumnChoice, *, blank_is_negative: bool) -> DataConfig:
    """How the file is read: a column of 0 and 1 per label, or arXiv's categories as labels of the same names."""
    return DataConfig(
        train=(Source(path=path),),
        labels=labels,
        categories={label: (label,) for label in labels},
        title_column=choice.title,
        abstract_column=choice.abstract,
        blank_is_negative=blank_is_negative,
    )


def read_calibration_papers(config: DataConfig, scope: ScopeConfig, seed: int) -> Corpus:
    """The papers of the only file; its training papers, from which the detector learns, are empty if there are few.

    Raises DataError if the file has other labels, fewer than fifty papers, or no label that some papers have and others
    lack.
    """
    path, labels = config.train[0].path, config.labels or ()
    _, papers, counts = read_file(config, labels)
    if len(papers) < _FEWEST:
        raise DataError(f"{path}: holds {len(papers)} papers that can be used; expected at least {_FEWEST}")
    share = len([paper for paper in papers if paper.labels]) / len(papers)
    targets = with_targets(papers, labels)
    if not ((targets.targets.min(axis=0) < 1) & (targets.targets.max(axis=0) > 0)).any():
        raise DataError(f"{path}: no label has papers with it and papers without it ({share:.0%} have any label)")
    rows = frozenset(range(len(papers)))
    if len(papers) >= _FEWEST_WITH_SCOPE:
        kept = 1 - min(0.5, scope.papers / len(papers))
        rows = stratified_split([paper.labels for paper in papers], kept, np.random.default_rng(seed))
    others = [paper for i, paper in enumerate(papers) if i not in rows]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Corpus(
        labels=labels,
        train=with_targets(others, labels),
        validation=with_targets([paper for i, paper in enumerate(papers) if i in rows], labels),
        report={str(path): {"sha256": digest, **counts}},
    )
