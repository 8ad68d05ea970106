"""Rows become labelled papers: labels are born here, cleaning is counted, the split is disjoint."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import tables
from model_store.papers import Paper, tidy
from training.config import AuxiliaryConfig, DataConfig, Source, TextFile
from training.data.thinning import thinned
from training.errors import DataError

_ID, _TITLE, _ABSTRACT, _CATEGORIES = "id", "title", "abstract", "categories"
_DATES = ("update_date", "date", "year")
_BINARY = {"0": False, "1": True, 0: False, 1: True}

Counts = dict[str, int]
_P = TypeVar("_P")


class LabelledPaper(NamedTuple):
    """A paper, the names of its labels, and its date, finer categories and id where the file has them."""

    paper: Paper
    labels: frozenset[str]
    date: str
    categories: frozenset[str] | None
    id: str
    row: int
    """Its number in the file, from 1, the header left out."""


@dataclass(frozen=True)
class Papers:
    """Papers with their targets, shape (papers, labels), 0 or 1.

    `categories`, shape (papers, categories), holds the targets of the auxiliary head if there is
    one; a row of NaN stands for a paper whose categories are not known. `teacher`, shape (papers,
    labels), holds the logits of networks to learn from, if there are any.
    """

    papers: list[Paper]
    targets: NDArray[np.float32]
    categories: NDArray[np.float32] | None = None
    teacher: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.papers)


@dataclass(frozen=True)
class Corpus:
    """Everything a run learns from."""

    labels: tuple[str, ...]
    train: Papers
    validation: Papers
    report: dict[str, dict[str, int | str]]
    """By file: its sha256 and the counts of its cleaning."""
    categories: tuple[str, ...] = ()
    """Finer categories that the auxiliary head learns, in the order of its outputs."""


def read_corpus(config: DataConfig, seed: int, auxiliary: AuxiliaryConfig | None = None) -> Corpus:
    """Read, clean and split; with `auxiliary`, training papers also get their finer categories.

    A paper that is also among the validation papers never enters the training set. Raises
    DataError naming file, row and column, or TableError where a file cannot even be read.
    """
    rng = np.random.default_rng(seed)
    column = auxiliary.column if auxiliary else None
    seen: set[str] = set()
    report: dict[str, dict[str, int | str]] = {}
    held_out: list[LabelledPaper] = []
    held_out_labels: tuple[str, ...] = ()
    if config.validation is not None:
        source = Source(path=config.validation)
        held_out_labels, held_out, report[str(config.validation)] = _read_source(source, config, column, seen, rng)
    labels: tuple[str, ...] = ()
    train: list[LabelledPaper] = []
    for source in config.train:
        found, papers, report[_entry(source, report)] = _read_source(source, config, column, seen, rng)
        labels = labels or found
        _same_labels(source.path, found, labels)
        train += papers
    if config.validation is None:
        train, held_out = _split(train, config.validation_share, rng)
    else:
        _same_labels(config.validation, held_out_labels, labels)
    train, held_out = _sampled(train, config.sample, rng), _sampled(held_out, config.validation_sample, rng)
    train = _share(train, config.share, seed)
    learned = _stack(train, labels)
    categories: tuple[str, ...] = ()
    if auxiliary:
        categories, targets = _categories(train, auxiliary)
        learned = replace(learned, categories=targets)
    corpus = Corpus(labels, learned, _stack(held_out, labels), report, categories)
    _every_label_occurs(corpus)
    return corpus


def read_papers(path: Path, categories: Mapping[str, tuple[str, ...]] | None = None) -> tuple[tuple[str, ...], Papers]:
    """One labelled file, cleaned, with its labels in their order; errors as in `read_corpus`."""
    config = DataConfig(train=(Source(path=path),), categories=dict(categories) if categories else None)
    labels, papers, _ = _read_source(config.train[0], config, None, set(), np.random.default_rng(0))
    return labels, _stack(papers, labels)


def read_texts(files: Sequence[TextFile], held_out: Iterable[Paper], seed: int) -> list[Paper]:
    """Papers to pre-train on, their labels unread: cleaned, none twice, and none that is held out.

    Raises DataError if a file has no title or no abstract, or if nothing is left.
    """
    rng = np.random.default_rng(seed)
    seen = {_key(paper) for paper in held_out}
    texts: list[Paper] = []
    for file in files:
        rows = list(tables.read(file.path))
        columns = text_columns(file.path, rows[0])
        found = []
        for row in rows:
            paper = Paper(_cell(row, columns[_TITLE]), _cell(row, columns[_ABSTRACT]))
            date = _cell(row, _date_column(columns))
            if _key(paper).strip() and _in_time(date, file) and _key(paper) not in seen:
                seen.add(_key(paper))
                found.append(paper)
        texts += _sampled(found, file.sample, rng)
    if not texts:
        raise DataError(f"{', '.join(str(file.path) for file in files)}: no paper is left to pre-train on")
    return texts


def read_labelled(
    path: Path, names: tuple[str, ...], categories: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[list[LabelledPaper], Counts]:
    """The papers of one file, cleaned, with the labels of these names, and the counts of the cleaning.

    Label columns must have just these names; `categories`, label → archives, reads arXiv's layout.
    Raises DataError if the file has other labels, or no paper that can be used.
    """
    data = DataConfig(train=(Source(path=path),), labels=names, categories=dict(categories) if categories else None)
    found, papers, facts = _read_source(data.train[0], data, None, set(), np.random.default_rng(0))
    _same_labels(path, found, names)
    counts = {key: count for key, count in facts.items() if isinstance(count, int)}
    if not papers:
        reasons = ", ".join(f"{key} {count}" for key, count in counts.items() if count)
        raise DataError(f"{path}: holds no paper with a text and a label ({reasons})")
    return papers, counts


def text_columns(path: Path, first: tables.Row) -> dict[str, str]:
    """The file's column names by lower-case name; DataError unless title and abstract are among them."""
    columns = {column.strip().lower(): column for column in first.cells}
    for needed in (_TITLE, _ABSTRACT):
        if needed not in columns:
            there = ", ".join(first.cells)
            raise DataError(f"{path}: has no column {needed.upper()!r}; its columns are {there}; rename the one meant")
    return columns


def label_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that are labels: all that are neither id, title nor abstract."""
    return tuple(column for column in columns if column.strip().lower() not in {_ID, _TITLE, _ABSTRACT})


def _read_source(
    source: Source, config: DataConfig, column: str | None, seen: set[str], rng: np.random.Generator
) -> tuple[tuple[str, ...], list[LabelledPaper], dict[str, int | str]]:
    rows = list(tables.read(source.path))
    columns = text_columns(source.path, rows[0])
    labels = _labels_of(source.path, rows[0], config)
    counts: Counts = {"rows": len(rows)}
    read = _labelled(source.path, rows, columns, labels, config.categories, column)
    kept = list(_clean(read, source, seen, counts))
    if source.most_per_category is not None:
        subjects = [paper.categories or paper.labels for paper in kept]
        kept = [kept[i] for i in thinned(subjects, source.most_per_category, rng)]
    kept = _sampled(kept, source.sample, rng)
    counts["kept"] = len(kept)
    return labels, kept, {"sha256": hashlib.sha256(source.path.read_bytes()).hexdigest(), **counts}


def _labels_of(path: Path, first: tables.Row, config: DataConfig) -> tuple[str, ...]:
    if any(column.strip().lower() == _CATEGORIES for column in first.cells):
        if not config.categories:
            raise DataError(
                f"{path}: has a column 'categories'; say in [data.categories] which label each archive means"
            )
        return tuple(config.categories)
    labels = config.labels or label_columns(first.cells)
    if missing := sorted(set(labels) - first.cells.keys()):
        raise DataError(f"{path}: has no label column {missing[0]!r}; its columns are {', '.join(first.cells)}")
    if not labels:
        raise DataError(f"{path}: has no label columns; expected 0/1 columns beside {', '.join(first.cells)}")
    return labels


def _same_labels(path: Path, found: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if set(found) != set(expected):
        missing, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        raise DataError(f"{path}: labels differ from those expected; missing {missing}, unknown {more}")


def _labelled(
    path: Path,
    rows: list[tables.Row],
    columns: Mapping[str, str],
    labels: tuple[str, ...],
    categories: Mapping[str, tuple[str, ...]] | None,
    column: str | None,
) -> Iterator[LabelledPaper]:
    archives = {archive: label for label, archives in (categories or {}).items() for archive in archives}
    dated = _date_column(columns)
    for row in rows:
        if _CATEGORIES in columns:
            found = _from_categories(row.cells[columns[_CATEGORIES]], archives)
        else:
            found = frozenset(label for label in labels if _is_set(path, row, label))
        paper = Paper(_cell(row, columns[_TITLE]), _cell(row, columns[_ABSTRACT]))
        finer = frozenset(_cell(row, column).split()) if column in row.cells else None
        yield LabelledPaper(paper, found, _cell(row, dated), finer, _cell(row, columns.get(_ID, _ID)), row.number)


def _date_column(columns: Mapping[str, str]) -> str:
    """The file's own name for it; empty, which names no column, if there is none."""
    return next((columns[name] for name in _DATES if name in columns), "")


def _cell(row: tables.Row, column: str) -> str:
    value = row.cells.get(column)
    return "" if value is None else tidy(str(value))


def _from_categories(categories: object, archives: Mapping[str, str]) -> frozenset[str]:
    found = (archives.get(category.split(".")[0]) for category in str(categories or "").split())
    return frozenset(label for label in found if label is not None)


def _is_set(path: Path, row: tables.Row, label: str) -> bool:
    value = row.cells.get(label)
    value = value.strip() if isinstance(value, str) else value
    if not isinstance(value, str | int | float) or value not in _BINARY:
        raise DataError(f"{path}, row {row.number}, column {label!r}: holds {value!r}, expected 0 or 1")
    return _BINARY[value]  # 1.0 and True find the entry of 1


def _clean(papers: Iterable[LabelledPaper], source: Source, seen: set[str], counts: Counts) -> Iterator[LabelledPaper]:
    counts.update(empty=0, unlabelled=0, older=0, newer=0, other_labels=0, duplicates=0)
    wanted = frozenset(source.having or ())
    for labelled in papers:
        key = _key(labelled.paper)
        reason = (
            "empty" if not key.strip()
            else "unlabelled" if not labelled.labels
            else "older" if source.since and labelled.date < source.since
            else "newer" if source.until and labelled.date >= source.until
            else "other_labels" if wanted and not wanted & labelled.labels
            else "duplicates" if key in seen
            else None
        )  # fmt: skip
        if reason:
            counts[reason] += 1
            continue
        seen.add(key)
        yield labelled


def _key(paper: Paper) -> str:
    """What makes two papers the same."""
    return " ".join(paper).lower()


def _in_time(date: str, file: TextFile) -> bool:
    return not (file.since and date < file.since) and not (file.until and date >= file.until)


def _sampled(papers: list[_P], count: int | None, rng: np.random.Generator) -> list[_P]:
    if count is None or count >= len(papers):
        return papers
    return [papers[i] for i in sorted(rng.choice(len(papers), count, replace=False))]


def _split(
    papers: list[LabelledPaper], share: float, rng: np.random.Generator
) -> tuple[list[LabelledPaper], list[LabelledPaper]]:
    order = rng.permutation(len(papers))
    held_out = set(order[: max(1, round(share * len(papers)))].tolist())
    return (
        [paper for i, paper in enumerate(papers) if i not in held_out],
        [paper for i, paper in enumerate(papers) if i in held_out],
    )


def _share(papers: list[LabelledPaper], share: float, seed: int) -> list[LabelledPaper]:
    """The first of the papers in a seeded order: a smaller share lies within a larger one.

    The order begins with a paper of each label, so that a share that has room for them all lacks none.
    """
    if share == 1:
        return papers
    order = np.random.default_rng([seed, len(papers)]).permutation(len(papers)).tolist()
    first: dict[str, int] = {}
    for place in order:
        for label in sorted(papers[place].labels):
            first.setdefault(label, place)
    order = list(dict.fromkeys([*first.values(), *order]))
    return [papers[place] for place in sorted(order[: max(1, round(share * len(papers)))])]


def _stack(labelled: list[LabelledPaper], labels: tuple[str, ...]) -> Papers:
    targets = np.zeros((len(labelled), len(labels)), dtype=np.float32)
    for row, paper in enumerate(labelled):
        for label in paper.labels:
            targets[row, labels.index(label)] = 1
    return Papers([paper.paper for paper in labelled], targets)


def _categories(
    labelled: list[LabelledPaper], auxiliary: AuxiliaryConfig
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The categories that enough papers have, sorted, and their targets; DataError if there is none."""
    counts = Counter(category for paper in labelled for category in paper.categories or ())
    column = {name: i for i, name in enumerate(sorted(c for c, papers in counts.items() if papers >= auxiliary.fewest))}
    if not column:
        raise DataError(
            f"no category in column {auxiliary.column!r} has {auxiliary.fewest} training papers; name another column "
            "in [auxiliary], or lower `fewest`"
        )
    targets = np.full((len(labelled), len(column)), np.nan, dtype=np.float32)
    for row, paper in enumerate(labelled):
        if paper.categories is not None:
            targets[row] = 0
            targets[row, [column[name] for name in paper.categories if name in column]] = 1
    return tuple(column), targets


def _entry(source: Source, report: Mapping[str, object]) -> str:
    """The file's name in the report; a second passage of the same file is numbered."""
    again = sum(name.split("#")[0] == str(source.path) for name in report)
    return f"{source.path}#{again + 1}" if again else str(source.path)


def _every_label_occurs(corpus: Corpus) -> None:
    for part, papers in (("training", corpus.train), ("validation", corpus.validation)):
        for label, positives in zip(corpus.labels, papers.targets.sum(axis=0), strict=True):
            if positives == 0:
                raise DataError(f"label {label!r} has no positive row among the {len(papers)} {part} papers")
