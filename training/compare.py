"""Runs every variant of a comparison with every seed on the same papers, and keeps what came of each.

Finished pairs of variant and seed are skipped, an interrupted one goes on from its last checkpoint,
a broken one is told in the table and stops no other.
"""

import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from training.comparison.outcome import Outcome
from training.comparison.pictures import draw
from training.comparison.table import markdown, rows
from training.comparison.variants import Comparison, Variant, read_comparison
from training.config import RunConfig
from training.corpus import Corpus
from training.evaluation.reliability import reliability
from training.metrics import headline
from training.progress import read_metrics
from training.run import TrainingRun, Workplace, papers_of
from training.thresholds import best_thresholds

_LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Pair:
    """A variant with a seed, and where it works."""

    variant: Variant
    seed: int
    folder: Path

    @property
    def config(self) -> RunConfig:
        """The run of this pair."""
        return self.variant.seeded(self.seed)

    @property
    def file(self) -> Path:
        """What came of it."""
        return self.folder / "outcome.json"

    def keep(self, outcome: Outcome) -> None:
        """Write what came of it. Of a finished run that is all: the weights of so many would fill a disk."""
        outcome.write(self.file)
        if outcome.error is None:
            place = Workplace(self.folder)
            for made in (place.checkpoints, place.pretraining, place.encoder):
                shutil.rmtree(made, ignore_errors=True)
            place.weights.unlink()

    def outcome(self) -> Outcome | None:
        """What came of it under this very configuration; none if there is nothing yet."""
        found = Outcome.read(self.file)
        return found if found and found.config == self.config.model_dump(mode="json") else None

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do; what failed is tried again."""
        found = self.outcome()
        return found is not None and found.error is None


class CorpusShelf:
    """The papers of a comparison: drawn by its own seed, whatever the pair's, and read again only where they differ."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._held: tuple[object, Corpus] | None = None

    def corpus(self, config: RunConfig) -> Corpus:
        """The papers of a run; errors as of `read_corpus`."""
        wanted = (config.data, config.auxiliary)
        if self._held is None or self._held[0] != wanted:
            self._held = None  # two at a time would not fit where one just does
            self._held = (wanted, papers_of(config.model_copy(update={"seed": self._seed})))
        return self._held[1]


def compare(path: Path, runs: Path) -> Path:
    """Run what is left to run of a comparison and return the folder with table and pictures.

    Raises ConfigError before anything runs if the file or one of its variants is wrong.
    """
    comparison = read_comparison(path)
    folder = runs / f"compare-{path.stem}"
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [
        Pair(variant, seed, folder / variant.name / f"seed-{seed}")
        for variant in comparison.variants
        for seed in comparison.seeds
    ]
    shelf = CorpusShelf(comparison.data_seed)
    for pair in _in_turn(pairs, len(comparison.variants)):
        pair.keep(attempt(pair, shelf))
        report(comparison, pairs, folder)
    report(comparison, pairs, folder)
    return folder


def _in_turn(pairs: Sequence[Pair], variants: int) -> Iterator[Pair]:
    """The pairs that are left, each told before its turn, with a guess of how long all of them will take."""
    left = [pair for pair in pairs if not pair.finished]
    names = list(dict.fromkeys(pair.variant.name for pair in pairs))
    started = time.monotonic()
    for done, pair in enumerate(left):
        guess = f"{(time.monotonic() - started) / done * (len(left) - done) / 60:.0f} min" if done else "not known yet"
        _LOG.info(
            "variant %d of %d, seed %d: %s (%d of %d runs left, time left: %s)",
            names.index(pair.variant.name) + 1, variants, pair.seed, pair.variant.name, len(left) - done, len(pairs),
            guess,
        )  # fmt: skip
        yield pair


def attempt(pair: Pair, shelf: CorpusShelf) -> Outcome:
    """Run a pair to its end, or to the error that ends it."""
    told = Outcome(variant=pair.variant.name, seed=pair.seed, config=pair.config.model_dump(mode="json"))
    try:
        _prepare(pair)
        return _measured(TrainingRun(pair.config, "", shelf.corpus(pair.config), Workplace(pair.folder)), told)
    except Exception as error:  # whatever it is, the other variants are none the worse for it
        _LOG.warning("%s, seed %d failed: %s", pair.variant.name, pair.seed, error)
        first, _, _ = str(error).partition("\n")
        return told.model_copy(update={"error": f"{type(error).__name__}: {first}"})


def _prepare(pair: Pair) -> None:
    """Leave the folder ready to go on in: nothing of another configuration may be in it."""
    note = pair.folder / "config.json"
    wanted = pair.config.model_dump_json(indent=1)
    if pair.folder.exists() and not (note.exists() and note.read_text(encoding="utf-8") == wanted):
        _LOG.info("%s: made with another configuration, begun anew", pair.folder)
        shutil.rmtree(pair.folder)
    pair.folder.mkdir(parents=True, exist_ok=True)
    note.write_text(wanted, encoding="utf-8")


def _measured(run: TrainingRun, told: Outcome) -> Outcome:
    if run.config.pretrain:
        run.pretrain(resume=True)
    run.fit(resume=True)
    validation, network = run.corpus.validation, run.fitted()
    started = time.monotonic()
    scores = torch.from_numpy(run.validation_logits(network)).sigmoid().numpy()
    seconds = time.monotonic() - started
    logs = [
        read_metrics(run.place.pretraining / "metrics.jsonl"),
        read_metrics(run.place.checkpoints / "metrics.jsonl"),
    ]
    figures = {
        **headline(validation.targets, scores, best_thresholds(validation.targets, scores)),
        "calibration_error": _calibration_error(validation.targets > 0, scores),
        "training_seconds": sum(log[-1]["seconds"] for log in logs if log),
        "seconds_per_paper": seconds / len(validation),
        "bytes": float(sum(weights.nbytes for weights in network.parameters())),
    }
    curve = tuple((line["step"], line["eval_micro_f1"]) for line in logs[1] if "eval_micro_f1" in line)
    return told.model_copy(update={"train_papers": len(run.corpus.train), "figures": figures, "curve": curve})


def _calibration_error(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The expected calibration error over bins of equal width, averaged over labels."""
    return fmean(reliability(truth[:, i], scores[:, i]).ece_equal_width for i in range(truth.shape[1]))


def report(comparison: Comparison, pairs: Sequence[Pair], folder: Path) -> None:
    """Write table and pictures of what there is so far."""
    outcomes = [outcome for pair in pairs if (outcome := pair.outcome())]
    found = rows(comparison, outcomes)
    (folder / "table.md").write_text(markdown(found), encoding="utf-8")
    table = [row.model_dump(mode="json") for row in found]
    (folder / "table.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    draw(folder, found)
