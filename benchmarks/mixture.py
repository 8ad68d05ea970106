"""Mixes the log-odds of an artefact and of TF-IDF on the validation papers.

    python -m benchmarks.mixture training/configs/full.toml

Trains TF-IDF with logistic regression on the run's papers, some minutes for a hundred thousand, and
prints a Markdown table. The mixture is not meant to be served; its gain shows what a teacher could contribute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.settings import Settings
from model_store.cpus import usable_cpus
from model_store.labels import log_odds
from model_store.store import Store
from training.evaluation.baseline import probabilities
from training.evaluation.evaluate import open_artefact
from training.evaluation.metrics import headline
from training.fitting.teacher import score_as_served
from training.publishing.thresholds import best_thresholds
from training.run import TrainingRun

_SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the run's TOML file")
    parser.add_argument("--artefact", default="latest", help="a version in the store (default: %(default)s)")
    parser.add_argument("--store", type=Path, default=Settings().artefacts, help="default: the bundled one")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    corpus = TrainingRun.open(options.config, options.runs).corpus
    artefact = open_artefact(options.artefact, Store(options.store))
    network = score_as_served(artefact.classifier(), corpus.validation.papers, usable_cpus())
    words = log_odds(probabilities(corpus.train, corpus.validation.papers))
    print("| share of TF-IDF | micro-F1 | macro-F1 | mean average precision |\n|---|---|---|---|")
    for share in _SHARES:
        scores = 1 / (1 + np.exp((share - 1) * network - share * words))
        targets = corpus.validation.targets
        found = headline(targets, scores, best_thresholds(targets, scores))
        figures = " | ".join(f"{found[name]:.4f}" for name in ("micro_f1", "macro_f1", "mean_average_precision"))
        print(f"| {share:g} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
