"""Quality for groups of papers: by length, year, number of labels, and missing abstract."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.data.papers import LabelledPaper
from training.evaluation.metrics import Metric, interval, micro_f1
from training.evaluation.predictions import Predictions
from training.evaluation.schemas import Estimate, Slice, Status

# Word pieces; 320 is the length at which the bundled artefacts truncate.
_LENGTHS = (0, 64, 128, 192, 256, 320, 512)
# Papers with this many labels or more form one group.
_MOST_LABELS = 4

Members = NDArray[np.bool_]
Groups = list[tuple[str, Members]]


def slices(papers: Sequence[LabelledPaper], predictions: Predictions, seed: int) -> dict[str, list[Slice]]:
    """Non-empty groups of papers by kind of grouping; each kind contains every paper once."""
    kinds = {
        "word pieces": _lengths(predictions.tokens),
        "truncation": _halves(predictions.truncated, "cut", "read whole"),
        "abstract": _halves(np.array([bool(paper.paper.abstract) for paper in papers]), "with abstract", "title alone"),
        "number of labels": _label_counts(predictions.truth.sum(axis=1)),
        "year": _years(papers),
    }
    rng = np.random.default_rng(seed)
    return {
        kind: [_slice(name, members, predictions, rng) for name, members in named if members.any()]
        for kind, named in kinds.items()
        if named
    }


def statuses(predictions: Predictions, seed: int) -> list[Status]:
    """Frequency and quality of each status, the most frequent first."""
    rng = np.random.default_rng(seed)
    names, counts = np.unique(predictions.statuses, return_counts=True)
    return [
        Status(
            name=str(names[i]),
            papers=int(counts[i]),
            share=float(counts[i] / len(predictions)),
            wrong=_estimate(predictions, predictions.statuses == names[i], _any_wrong, rng),
        )
        for i in np.argsort(-counts, kind="stable")
    ]


def _slice(name: str, members: Members, predictions: Predictions, rng: np.random.Generator) -> Slice:
    return Slice(
        name=name,
        papers=int(members.sum()),
        micro_f1=_estimate(predictions, members, micro_f1, rng),
        subset_accuracy=_estimate(predictions, members, _all_right, rng),
    )


def _estimate(predictions: Predictions, members: Members, metric: Metric, rng: np.random.Generator) -> Estimate:
    truth, decisions = predictions.truth[members], predictions.decisions[members]
    low, high = interval(truth, decisions, metric, rng)
    return Estimate(value=metric(truth, decisions), low=low, high=high)


def _all_right(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> float:
    return float((truth == decisions).all(axis=1).mean())


def _any_wrong(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> float:
    return 1 - _all_right(truth, decisions)


def _lengths(tokens: NDArray[np.int64]) -> Groups:
    bounded = [
        (f"{low} to {high - 1}", np.asarray((tokens >= low) & (tokens < high))) for low, high in pairwise(_LENGTHS)
    ]
    return [*bounded, (f"{_LENGTHS[-1]} and more", np.asarray(tokens >= _LENGTHS[-1]))]


def _halves(members: Members, yes: str, no: str) -> Groups:
    return [(yes, members), (no, ~members)]


def _label_counts(counts: NDArray[np.int64]) -> Groups:
    exact = [(str(count), np.asarray(counts == count)) for count in range(_MOST_LABELS)]
    return [*exact, (f"{_MOST_LABELS} and more", np.asarray(counts >= _MOST_LABELS))]


def _years(papers: Sequence[LabelledPaper]) -> Groups:
    """Empty if no paper has a date."""
    years_found = [re.match(r"\d{4}", paper.date) for paper in papers]
    years = np.array([match[0] if match else "" for match in years_found])
    return [(year or "no date", years == year) for year in sorted(set(years.tolist()))] if years.any() else []
