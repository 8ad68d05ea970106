"""Runs every variant of a comparison with every seed on the same papers, and records the outcomes.

Finished pairs of variant and seed are skipped, an interrupted pair continues from its last checkpoint, and a pair that
fails is listed in the table and does not stop the others.
"""

import json
import logging
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from training import stages
from training.comparison.comparison_plots import draw
from training.comparison.outcome import Journal, Outcome, fingerprint, pretraining_fingerprint
from training.comparison.table import markdown, rows
from training.comparison.variants import Comparison, Variant, read_comparison
from training.config import RunConfig
from training.data.corpus import Corpus
from training.evaluation.metrics import headline
from training.fitting.progress import read_metrics
from training.publishing.calibration import mean_error
from training.publishing.thresholds import best_thresholds
from training.run import TrainingRun, load_corpus
from training.run_dir import RunDir

_LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Pair:
    """A variant with a seed, and the directory of the comparison."""

    variant: Variant
    seed: int
    work: Path

    @property
    def config(self) -> RunConfig:
        """The configuration of this pair's run."""
        return self.variant.seeded(self.seed)

    @property
    def dir(self) -> RunDir:
        """Its own directory, and one for further pre-training, shared by all pairs that pre-train alike."""
        alike = pretraining_fingerprint(self.config)
        shared = self.work / "pretrained" / alike[:16] if alike else None
        return RunDir(self.work / self.variant.name / f"seed-{self.seed}", shared)

    def has(self, outcome: Outcome) -> bool:
        """Whether the outcome is that of this pair with its present configuration."""
        names = (self.variant.name, self.seed, fingerprint(self.config))
        return names == (outcome.variant, outcome.seed, outcome.config)

    def clear(self) -> None:
        """Delete the weights and checkpoints of a finished run: those of many runs would fill a disk."""
        shutil.rmtree(self.dir.checkpoints, ignore_errors=True)
        self.dir.weights.unlink()


class CorpusCache:
    """Reads the papers of a comparison once, as long as the pairs use the same ones.

    They are drawn with the seed of the comparison, not with that of the pair.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cached: tuple[object, Corpus] | None = None

    def corpus(self, config: RunConfig) -> Corpus:
        """The papers of a run; errors as in `read_corpus`."""
        # With [auxiliary], the weights that a run continues from say which categories there are.
        wanted = (config.data, config.auxiliary, config.fit.continue_from)
        if self._cached is None or self._cached[0] != wanted:
            self._cached = None  # frees the memory before the next ones are read
            self._cached = (wanted, load_corpus(config.model_copy(update={"seed": self._seed})))
        return self._cached[1]


def compare(path: Path, runs: Path, results: Path | None = None, only: Collection[str] = ()) -> Path:
    """Run the remaining pairs of a comparison and return the folder with table and plots.

    `only` names the variants to run in addition to the first, with which they are compared; empty: all of them.

    All variants run with the first seed before any runs with the second, so that a complete table exists early. Several
    processes may work on one comparison and share the pairs. Raises ConfigError before anything runs if the file or one
    of its variants is invalid.
    """
    comparison = read_comparison(path)
    chosen = comparison.chosen(only)
    work = runs / f"compare-{path.stem}"
    results = results or work
    results.mkdir(parents=True, exist_ok=True)
    journal = Journal(results / "outcomes.jsonl")
    pairs = [Pair(variant, seed, work) for seed in comparison.seeds for variant in comparison.variants]
    cache = CorpusCache(comparison.data_seed)
    for pair in _remaining_in_turn([pair for pair in pairs if pair.variant in chosen], journal):
        outcome = attempt(pair, cache)
        journal.append(outcome)
        if outcome.error is None:
            pair.clear()
        report(comparison, _outcomes(pairs, journal), results)
    if not _remaining(pairs, journal):
        shutil.rmtree(work / "pretrained", ignore_errors=True)
    report(comparison, _outcomes(pairs, journal), results)
    return results


def _outcomes(pairs: Sequence[Pair], journal: Journal) -> list[Outcome]:
    """The outcomes of these pairs with their present configurations, in the order of the pairs."""
    outcomes = journal.read()
    return [outcome for pair in pairs for outcome in outcomes if pair.has(outcome)]


def _remaining(pairs: Sequence[Pair], journal: Journal) -> list[Pair]:
    """The pairs that are not finished; failed ones are tried again."""
    finished = [outcome for outcome in _outcomes(pairs, journal) if outcome.error is None]
    return [pair for pair in pairs if not any(pair.has(outcome) for outcome in finished)]


def _remaining_in_turn(pairs: Sequence[Pair], journal: Journal) -> Iterator[Pair]:
    """The remaining pairs that no other process works on; each is logged before it runs."""
    started, at_first = time.monotonic(), len(_remaining(pairs, journal))
    for pair in _remaining(pairs, journal):
        with _locked(pair.dir.path) as locked:
            if not locked or not _remaining([pair], journal):
                continue
            left = len(_remaining(pairs, journal))
            done = at_first - left
            guess = f"{(time.monotonic() - started) / done * left / 60:.0f} min" if done else "not known yet"
            _LOG.info(
                "%s, seed %d (%d of %d runs left, time left: %s)",
                pair.variant.name, pair.seed, left, len(pairs), guess,
            )  # fmt: skip
            yield pair


@contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Lock a folder against other processes; yields false if it is locked already, unless `wait` is set."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"), blocking=wait)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def attempt(pair: Pair, cache: CorpusCache) -> Outcome:
    """Run a pair to its end or to an error; either way, return the outcome."""
    outcome = Outcome(variant=pair.variant.name, seed=pair.seed, config=fingerprint(pair.config))
    try:
        _prepare(pair)
        return _measured(TrainingRun(pair.config, "", cache.corpus(pair.config), pair.dir), outcome)
    except Exception as error:  # no error of one variant may stop the others
        _LOG.warning("%s, seed %d failed: %s", pair.variant.name, pair.seed, error)
        first, _, _ = str(error).partition("\n")
        return outcome.model_copy(update={"error": f"{type(error).__name__}: {first}"})


def _prepare(pair: Pair) -> None:
    """Create or keep the folder of a pair; delete what another configuration left in it."""
    folder = pair.dir.path
    note = folder / "config.json"
    wanted = pair.config.model_dump_json(indent=1)
    if folder.exists() and not (note.exists() and note.read_text(encoding="utf-8") == wanted):
        _LOG.info("%s: belongs to another configuration, starting again", folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(wanted, encoding="utf-8")


def _measured(run: TrainingRun, outcome: Outcome) -> Outcome:
    if run.dir.shared:
        with _locked(run.dir.shared, wait=True):
            stages.pretrain(run, resume=True)
    stages.fit(run, resume=True)
    validation, network = run.corpus.validation, stages.load_fitted(run)
    started = time.monotonic()
    scores = torch.from_numpy(stages.validation_logits(run, network)).sigmoid().numpy()
    seconds = time.monotonic() - started
    logs = [
        read_metrics(run.dir.pretraining / "metrics.jsonl"),
        read_metrics(run.dir.metrics),
    ]
    figures = {
        **headline(validation.targets, scores, best_thresholds(validation.targets, scores)),
        "calibration_error": mean_error(validation.targets, scores).equal_width,
        "training_seconds": sum(log[-1]["seconds"] for log in logs if log),
        "seconds_per_paper": seconds / len(validation),
        "bytes": float(sum(weights.nbytes for weights in network.parameters())),
    }
    curve = tuple((line["step"], line["eval_micro_f1"]) for line in logs[1] if "eval_micro_f1" in line)
    return outcome.model_copy(update={"train_papers": len(run.corpus.train), "figures": figures, "curve": curve})


def report(comparison: Comparison, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write table and plots of the outcomes so far."""
    found = rows(comparison, outcomes)
    (folder / "table.md").write_text(markdown(found), encoding="utf-8")
    table = [row.model_dump(mode="json") for row in found]
    (folder / "table.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    draw(folder, found)
