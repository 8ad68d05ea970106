"""Compares rules for thresholds on papers that the thresholds were not chosen on.

    python -m benchmarks.thresholds arxiv-subjects ../shared/data/papers_validation.csv.gz

Prints a Markdown table: micro-F1 and macro-F1, each paper decided by calibration and thresholds of the other folds, as
means over several divisions into folds.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.settings import Settings
from model_store.cpus import usable_cpus
from model_store.labels import assigned
from model_store.store import Store
from training.config import ThresholdsConfig
from training.data.folds import folds
from training.evaluation.evaluate import labelled_papers, open_artefact
from training.evaluation.metrics import headline
from training.evaluation.predictions import predict
from training.publishing.calibration import fit_lines
from training.publishing.thresholds import best_thresholds, choose

_DIVISIONS = 4
_F1 = ThresholdsConfig()
_Matrix = NDArray[np.floating]
Rule = Callable[[_Matrix, _Matrix], list[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the papers, apply each rule and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artefact", help="NAME/VERSION in the bundled store, or a folder")
    parser.add_argument("papers", type=Path, help="labelled papers")
    options = parser.parse_args(arguments)
    artefact = open_artefact(options.artefact, Store(Settings().artefacts))
    papers, _ = labelled_papers(artefact, options.papers)
    predictions = predict(artefact.classifier(), papers, usable_cpus())
    targets = predictions.truth.astype(np.float32)
    print("| thresholds | micro-F1 | macro-F1 |\n|---|---|---|")
    for name, rule in _rules().items():
        found = [_figures(targets, predictions.scores, rule, seed) for seed in range(_DIVISIONS)]
        print(f"| {name} | {' | '.join(f'{figure:.4f}' for figure in np.mean(found, axis=0))} |", flush=True)


def _rules() -> dict[str, Rule]:
    return {
        "highest F1 of each label": best_thresholds,
        "half of the expected F1 of each label": _by_label,
        "half of the expected F1 of all labels": _together,
        "halfway between these two, as published": lambda targets, scores: choose(targets, scores, _F1),
    }


def _by_label(targets: _Matrix, scores: _Matrix) -> list[float]:
    columns: Iterator[slice] = (slice(i, i + 1) for i in range(targets.shape[1]))
    return [choose(targets[:, column], scores[:, column], _F1)[0] for column in columns]


def _together(targets: _Matrix, scores: _Matrix) -> list[float]:
    (threshold,) = choose(targets.reshape(-1, 1), scores.reshape(-1, 1), _F1)
    return [threshold] * int(targets.shape[1])


def decided_by_others(targets: _Matrix, scores: _Matrix, rule: Rule, seed: int) -> NDArray[np.bool_]:
    """Decisions on each paper by calibration and thresholds of the other folds; arrays have shape (papers, labels)."""
    decided = np.zeros(targets.shape, dtype=np.bool_)
    for others, fold in folds(len(targets), seed):
        lines = fit_lines(targets[others], scores[others], "platt")
        decided[fold] = assigned(lines(scores[fold]), rule(targets[others], lines(scores[others])))
    return decided


def _figures(targets: _Matrix, scores: _Matrix, rule: Rule, seed: int) -> list[float]:
    decided = decided_by_others(targets, scores, rule, seed)
    # Decisions as scores of 0 and 1, with a threshold between them.
    found = headline(targets, decided.astype(np.float64), [0.5] * targets.shape[1])
    return [found["micro_f1"], found["macro_f1"]]


if __name__ == "__main__":
    main()
