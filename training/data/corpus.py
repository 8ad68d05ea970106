"""The papers of a run: labels, and disjoint training, validation and test papers."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.papers import Paper
from training.config import AuxiliaryConfig, DataConfig, Source
from training.data.cleaning import Cleaning, Counts, without_withdrawn
from training.data.labelled_file import LabelledFile
from training.data.papers import LabelledPaper, Papers, paper_key
from training.data.sampling import draw, nested_share, reservoir
from training.data.split import stratified_split
from training.data.targets import frequent_categories, with_targets
from training.data.thinning import thinned
from training.errors import DataError

Facts = dict[str, int | str]


@dataclass(frozen=True)
class Corpus:
    """The papers of a run; no paper is in two of training, validation and test papers."""

    labels: tuple[str, ...]
    train: Papers
    validation: Papers
    report: dict[str, Facts]
    """By file: its sha256, and how many papers were kept and left out for which reason."""
    categories: tuple[str, ...] = ()
    """Finer categories that the auxiliary head learns, in the order of its outputs."""
    test: Papers | None = None
    """Test papers: their figures are reported, but nothing is chosen by them."""
    held_out: Sequence[Paper] = ()
    """Papers that nothing is learned from: test and validation papers, drawn or not, and those of `data.held_out`."""


def read_corpus(
    config: DataConfig, seed: int, auxiliary: AuxiliaryConfig | None = None, known: tuple[str, ...] = ()
) -> Corpus:
    """Read, clean, split and sample; with `auxiliary`, training papers also get their finer categories.

    These are the `known` ones if there are any, in their order, else those that enough papers have.
    Raises DataError naming file, row and column, or TableError where a file cannot be read at all.
    """
    reader = _Reader(config, seed, auxiliary)
    # In this order, since a paper belongs to the first part in which it occurs.
    test = reader.read_test(config.test) if config.test else None
    validation = reader.read(Source(path=config.validation)) if config.validation else None
    others = [paper for path in config.held_out for paper in reader.read(Source(path=path))]
    train = [paper for source in config.train for paper in reader.read(source, training=True)]
    reader.require_same_labels()
    rng = reader.rng
    if validation is None:
        train, validation = _split(train, config.validation_share, rng)
    held_out = [labelled.paper for labelled in (*(test or ()), *validation, *others)]
    train, validation = draw(train, config.sample, rng), draw(validation, config.validation_sample, rng)
    train = nested_share(train, config.share, seed)
    categories = known or (frequent_categories(train, auxiliary) if auxiliary else ())
    corpus = Corpus(
        labels=reader.labels,
        train=with_targets(train, reader.labels, categories),
        validation=with_targets(validation, reader.labels),
        report=reader.report,
        categories=categories,
        test=None if test is None else with_targets(test, reader.labels),
        held_out=held_out,
    )
    _require_examples(corpus)
    return corpus


def read_papers(path: Path, categories: Mapping[str, tuple[str, ...]] | None = None) -> tuple[tuple[str, ...], Papers]:
    """One labelled file, cleaned, with its labels in their order; errors as in `read_corpus`."""
    config = DataConfig(train=(Source(path=path),), categories=dict(categories) if categories else None)
    reader = _Reader(config, seed=0)
    papers = reader.read(config.train[0])
    reader.require_same_labels()
    return reader.labels, with_targets(papers, reader.labels)


def read_labelled(
    path: Path,
    names: tuple[str, ...],
    categories: Mapping[str, tuple[str, ...]] | None = None,
    *,
    keep_unlabelled: bool | None = None,
) -> tuple[list[LabelledPaper], Counts]:
    """The papers of one file, cleaned, with the labels of these names, and the counts of the cleaning.

    Label columns must have these names; `categories`, label → archives, reads arXiv's layout. Raises
    DataError if the file has other labels, or no paper that can be used.
    """
    config = DataConfig(
        train=(Source(path=path),),
        labels=names,
        categories=dict(categories) if categories else None,
        keep_unlabelled=keep_unlabelled,
    )
    return read_file(config, names)[1:]


def read_file(
    config: DataConfig, expected: tuple[str, ...] | None = None
) -> tuple[tuple[str, ...], list[LabelledPaper], Counts]:
    """Labels and cleaned papers of the first training file, and the counts of the cleaning; see `read_labelled`."""
    source = config.train[0]
    reader = _Reader(config, seed=0)
    if expected:
        reader.expect_labels(source.path, expected)
    papers = reader.read(source)
    reader.require_same_labels()
    facts = reader.report[str(source.path)]
    if not papers:
        raise DataError(f"{source.path}: holds no paper that can be used ({_counts(facts)})")
    counts = {key: count for key, count in facts.items() if isinstance(count, int)}
    return reader.labels, papers, counts


class _Reader:
    """Reads one file after the other, remembering the labels of the first and the papers kept so far."""

    def __init__(self, config: DataConfig, seed: int, auxiliary: AuxiliaryConfig | None = None) -> None:
        self.labels: tuple[str, ...] = ()
        self.report: dict[str, Facts] = {}
        self.rng = np.random.default_rng(seed)
        self._config = config
        self._auxiliary = auxiliary.column if auxiliary else None
        self._kept: set[bytes] = set()
        self._test: set[bytes] = set()
        self._held_out_labels: dict[Path, tuple[str, ...]] = {}

    def expect_labels(self, path: Path, labels: tuple[str, ...]) -> None:
        """DataError unless these are the labels expected before, in any order; the first call sets them."""
        self.labels = self.labels or labels
        if set(labels) != set(self.labels):
            missing, more = sorted(set(self.labels) - set(labels)), sorted(set(labels) - set(self.labels))
            raise DataError(f"{path}: labels differ from those expected; missing {missing}, unknown {more}")

    def require_same_labels(self) -> None:
        """Require the labels of the training files from now on, for validation and test files."""
        for path, labels in self._held_out_labels.items():
            self.expect_labels(path, labels)

    def read(self, source: Source, *, training: bool = False) -> list[LabelledPaper]:
        """The papers of a file except those kept from earlier files, sampled as it says.

        Notices of withdrawal are left out of the training papers only, since the service receives them, too.
        """
        file = LabelledFile(source.path, self._config, self._auxiliary)
        if training:
            self.expect_labels(source.path, file.labels)
        else:
            self._held_out_labels[source.path] = file.labels
        keep = self._config.keep_unlabelled
        cleaning = Cleaning(not file.has_categories if keep is None else keep, self._kept, self._test)
        counts: Counts = {}
        kept = self._drawn(cleaning(file, source, counts), source)
        if training:
            kept = without_withdrawn(kept, counts)
        counts["kept"] = len(kept)
        self._kept.update(paper_key(labelled.paper) for labelled in kept)
        self.report[_entry(source, self.report)] = {"sha256": _sha256(source.path), **counts}
        return kept

    def _drawn(self, papers: Iterable[LabelledPaper], source: Source) -> list[LabelledPaper]:
        if source.most_per_category is None:
            return reservoir(papers, source.sample, self.rng)
        # The frequency of a category is known only when all papers have been read.
        kept = list(papers)
        subjects = [paper.categories or paper.labels for paper in kept]
        kept = [kept[i] for i in thinned(subjects, source.most_per_category, self.rng)]
        return draw(kept, source.sample, self.rng)

    def read_test(self, path: Path) -> list[LabelledPaper]:
        """The papers of the test file, to be left out of all files that follow."""
        papers = self.read(Source(path=path))
        self._test, self._kept = self._kept, set()
        return papers


def _split(
    papers: list[LabelledPaper], share: float, rng: np.random.Generator
) -> tuple[list[LabelledPaper], list[LabelledPaper]]:
    held_out = stratified_split([paper.labels for paper in papers], share, rng)
    return (
        [paper for i, paper in enumerate(papers) if i not in held_out],
        [paper for i, paper in enumerate(papers) if i in held_out],
    )


def _entry(source: Source, report: Mapping[str, object]) -> str:
    """The file's name in the report; numbered if the file is read a second time."""
    again = sum(name.split("#")[0] == str(source.path) for name in report)
    return f"{source.path}#{again + 1}" if again else str(source.path)


def _counts(facts: Facts) -> str:
    return ", ".join(f"{key} {count}" for key, count in facts.items() if isinstance(count, int) and count)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_examples(corpus: Corpus) -> None:
    """DataError unless every label has papers to learn it from and papers to measure it on."""
    counts = "; ".join(f"{file}: {_counts(facts)}" for file, facts in corpus.report.items())
    for part, papers in (("training", corpus.train), ("validation", corpus.validation)):
        if not len(papers):
            raise DataError(f"no {part} paper is left ({counts})")
        positives = papers.targets.sum(axis=0)
        missing = [label for label, count in zip(corpus.labels, positives, strict=True) if not count]
        if missing:
            names = ", ".join(map(repr, missing))
            which = f"label {names} has" if len(missing) == 1 else f"labels {names} have"
            raise DataError(
                f"{which} no positive row among the {len(papers)} {part} papers; collect more, or name the other "
                "labels in `data.labels`"
            )
    if corpus.test is not None and not corpus.test.targets.any():
        raise DataError(
            f"none of the {len(corpus.test)} test papers has a label ({counts}); expected at least one, name another "
            "file as `data.test`, or leave it out"
        )
    if len(corpus.labels) == 1 and corpus.train.targets.all():
        raise DataError(
            f"every training paper has the only label, {corpus.labels[0]!r}; papers without it are needed as well "
            "(keep_unlabelled = true in [data] keeps them)"
        )
