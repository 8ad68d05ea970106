"""Reviews a file of labelled papers: scores → suspicious labels, and papers of a pool to label next."""

import csv
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.classifier import Classifier
from model_store.cpus import usable_cpus
from model_store.papers import Paper
from model_store.store import Artefact
from tables.formulas import neutralized
from training.config import DataConfig, Source
from training.data.cleaning import has_text
from training.data.column_roles import ColumnChoice
from training.data.corpus import read_file
from training.data.flag_columns import FlagColumns
from training.data.folds import folds
from training.data.paper_file import PaperFile, PaperRow
from training.data.papers import LabelledPaper, Papers
from training.data.targets import with_targets
from training.errors import DataError
from training.evaluation.baseline import probabilities
from training.review.label_errors import LabelError, likely_errors
from training.review.next_papers import expected_errors, most_worth_labelling

_LOG = logging.getLogger("training")

ERRORS, NEXT = "label-errors.csv", "label-next.csv"

_ERROR_COLUMNS = ("rank", "row", "id", "label", "given", "score", "title")
_NEXT_COLUMNS = ("rank", "row", "id", "expected_errors", "title")


@dataclass(frozen=True)
class ReviewRequest:
    """The papers to review, and the model to score them with."""

    papers: Path
    pool: Path | None = None
    """Papers without labels."""
    artefact: Artefact | None = None
    """Scores the papers; it must not have been trained on them. Absent: TF-IDF, each fold scored by the others."""
    count: int = 100
    """Most papers to list for labelling."""
    seed: int = 0
    choice: ColumnChoice = ColumnChoice()  # noqa: RUF009  # immutable
    blank_is_negative: bool = False


class Review(NamedTuple):
    """How much was found."""

    papers: int
    errors: int
    next: int


def review(request: ReviewRequest, output: Path) -> Review:
    """Write label-errors.csv, and label-next.csv if there is a pool, into the folder `output`.

    Labels are those of the artefact; without one, all columns that hold only 0 and 1, and the other columns are logged.
    Raises DataError if the file has no labels, or not those of the artefact.
    """
    labels, papers = _read(request)
    targets = with_targets(papers, labels)
    errors = likely_errors(targets.targets > 0, _held_out_scores(request, targets))
    output.mkdir(parents=True, exist_ok=True)
    _write(output / ERRORS, _ERROR_COLUMNS, (_error_cells(error, papers, labels) for error in errors))
    listed = [] if request.pool is None else _next_papers(request, request.pool, targets)
    if request.pool is not None:
        _write(output / NEXT, _NEXT_COLUMNS, (_next_cells(row, worth) for row, worth in listed))
    return Review(len(papers), len(errors), len(listed))


def _read(request: ReviewRequest) -> tuple[tuple[str, ...], list[LabelledPaper]]:
    config = DataConfig(
        train=(Source(path=request.papers),),
        title_column=request.choice.title,
        abstract_column=request.choice.abstract,
        blank_is_negative=request.blank_is_negative,
    )
    names = _label_names(request)
    labels, papers, _ = read_file(config.model_copy(update={"labels": names}), names)
    return labels, papers


def _label_names(request: ReviewRequest) -> tuple[str, ...]:
    if request.artefact is not None:
        return tuple(label.name for label in request.artefact.manifest.labels)
    columns = FlagColumns()
    for row in PaperFile(request.papers, request.choice):
        columns.add(row)
    labels = columns.flagged(request.papers, request.choice)
    if others := [name for name in columns.candidates(request.choice) if name not in labels]:
        _LOG.info("left out, because they do not hold just 0 and 1: %s", columns.described(others))
    return labels


def _held_out_scores(request: ReviewRequest, papers: Papers) -> NDArray[np.floating]:
    if request.artefact is not None:
        return _served_scores(request.artefact.classifier(), papers.papers)
    scores = np.empty_like(papers.targets)
    for others, own in folds(len(papers), request.seed):
        scores[own] = _tfidf_scores(papers.subset(others), papers.subset(own).papers)
    return scores


def _tfidf_scores(learned: Papers, papers: Sequence[Paper]) -> NDArray[np.floating]:
    try:
        return probabilities(learned, papers)
    except DataError as error:
        raise DataError(f"too few papers to learn from ({error}); give more, or let an artefact score them") from None


def _served_scores(classifier: Classifier, papers: Sequence[Paper]) -> NDArray[np.float32]:
    with ThreadPoolExecutor(usable_cpus()) as pool:
        return np.concatenate(list(pool.map(lambda paper: classifier.scores([paper]), papers)))


def _next_papers(request: ReviewRequest, pool: Path, learned: Papers) -> list[tuple[PaperRow, float]]:
    rows = [row for row in PaperFile(pool, request.choice) if has_text(row.paper)]
    papers = [row.paper for row in rows]
    if request.artefact is not None:
        scores: NDArray[np.floating] = _served_scores(request.artefact.classifier(), papers)
    else:
        scores = _tfidf_scores(learned, papers)
    uncertain = expected_errors(scores)
    return [(rows[i], float(uncertain[i])) for i in most_worth_labelling(papers, scores, request.count)]


def _error_cells(error: LabelError, papers: Sequence[LabelledPaper], labels: Sequence[str]) -> tuple[object, ...]:
    paper = papers[error.paper]
    return paper.row, paper.id, labels[error.label], int(error.given), f"{error.score:.4f}", paper.paper.title


def _next_cells(row: PaperRow, worth: float) -> tuple[object, ...]:
    return row.number, row.id, f"{worth:.4f}", row.paper.title


def _write(path: Path, columns: Sequence[str], lines: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for rank, cells in enumerate(lines, start=1):
            writer.writerow([rank, *(neutralized(str(cell)) for cell in cells)])
