"""Runs every variant of a comparison with every seed on the same papers, and keeps what came of each.

Finished pairs of variant and seed are skipped, an interrupted one goes on from its last checkpoint,
a broken one is told in the table and stops no other.
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
from training.comparison.outcome import Journal, Outcome, fingerprint, pretraining_fingerprint
from training.comparison.pictures import draw
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
    """A variant with a seed, and where the comparison works."""

    variant: Variant
    seed: int
    work: Path

    @property
    def config(self) -> RunConfig:
        """The run of this pair."""
        return self.variant.seeded(self.seed)

    @property
    def dir(self) -> RunDir:
        """Its own folder, and one for pre-training that it shares with all who pre-train alike."""
        alike = pretraining_fingerprint(self.config)
        shared = self.work / "pretrained" / alike[:16] if alike else None
        return RunDir(self.work / self.variant.name / f"seed-{self.seed}", shared)

    def made(self, outcome: Outcome) -> bool:
        """Whether this pair, under this very configuration, is what the outcome came of."""
        names = (self.variant.name, self.seed, fingerprint(self.config))
        return names == (outcome.variant, outcome.seed, outcome.config)

    def clear(self) -> None:
        """Drop what a finished run leaves: the weights of so many would fill a disk."""
        shutil.rmtree(self.dir.checkpoints, ignore_errors=True)
        self.dir.weights.unlink()


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
            self._held = (wanted, load_corpus(config.model_copy(update={"seed": self._seed})))
        return self._held[1]


def compare(path: Path, runs: Path, results: Path | None = None, only: Collection[str] = ()) -> Path:
    """Run what is left to run of a comparison and return the folder with table and pictures.

    `only` names the variants to run beside the first, which they are held against; none: all of them.

    Every variant has its turn with the first seed before any has it with the second, so that a
    table of all of them is there early. Several processes may work on one comparison: each takes
    what no other is at. Raises ConfigError before anything runs if the file or one of its variants
    is wrong.
    """
    comparison = read_comparison(path)
    chosen = comparison.chosen(only)
    work = runs / f"compare-{path.stem}"
    results = results or work
    results.mkdir(parents=True, exist_ok=True)
    journal = Journal(results / "outcomes.jsonl")
    pairs = [Pair(variant, seed, work) for seed in comparison.seeds for variant in comparison.variants]
    shelf = CorpusShelf(comparison.data_seed)
    for pair in _in_turn([pair for pair in pairs if pair.variant in chosen], journal):
        outcome = attempt(pair, shelf)
        journal.keep(outcome)
        if outcome.error is None:
            pair.clear()
        report(comparison, _valid(pairs, journal), results)
    if not _left(pairs, journal):
        shutil.rmtree(work / "pretrained", ignore_errors=True)
    report(comparison, _valid(pairs, journal), results)
    return results


def _valid(pairs: Sequence[Pair], journal: Journal) -> list[Outcome]:
    """What came of these pairs as they are configured now, in their order."""
    outcomes = journal.read()
    return [outcome for pair in pairs for outcome in outcomes if pair.made(outcome)]


def _left(pairs: Sequence[Pair], journal: Journal) -> list[Pair]:
    """The pairs to run; what failed is tried again."""
    finished = [outcome for outcome in _valid(pairs, journal) if outcome.error is None]
    return [pair for pair in pairs if not any(pair.made(outcome) for outcome in finished)]


def _in_turn(pairs: Sequence[Pair], journal: Journal) -> Iterator[Pair]:
    """The pairs that are left and that no other process has taken, each told before its turn."""
    started, at_first = time.monotonic(), len(_left(pairs, journal))
    for pair in _left(pairs, journal):
        with _alone(pair.dir.path) as taken:
            if not taken or not _left([pair], journal):
                continue
            left = len(_left(pairs, journal))
            done = at_first - left
            guess = f"{(time.monotonic() - started) / done * left / 60:.0f} min" if done else "not known yet"
            _LOG.info(
                "%s, seed %d (%d of %d runs left, time left: %s)",
                pair.variant.name, pair.seed, left, len(pairs), guess,
            )  # fmt: skip
            yield pair


@contextmanager
def _alone(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Keep other processes from a folder while the block runs; false if one is there, unless told to wait for it."""
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


def attempt(pair: Pair, shelf: CorpusShelf) -> Outcome:
    """Run a pair to its end, or to the error that ends it."""
    told = Outcome(variant=pair.variant.name, seed=pair.seed, config=fingerprint(pair.config))
    try:
        _prepare(pair)
        return _measured(TrainingRun(pair.config, "", shelf.corpus(pair.config), pair.dir), told)
    except Exception as error:  # whatever it is, the other variants are none the worse for it
        _LOG.warning("%s, seed %d failed: %s", pair.variant.name, pair.seed, error)
        first, _, _ = str(error).partition("\n")
        return told.model_copy(update={"error": f"{type(error).__name__}: {first}"})


def _prepare(pair: Pair) -> None:
    """Leave the folder ready to go on in: nothing of another configuration may be in it."""
    folder = pair.dir.path
    note = folder / "config.json"
    wanted = pair.config.model_dump_json(indent=1)
    if folder.exists() and not (note.exists() and note.read_text(encoding="utf-8") == wanted):
        _LOG.info("%s: made with another configuration, begun anew", folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(wanted, encoding="utf-8")


def _measured(run: TrainingRun, told: Outcome) -> Outcome:
    if run.dir.shared:
        with _alone(run.dir.shared, wait=True):
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
    return told.model_copy(update={"train_papers": len(run.corpus.train), "figures": figures, "curve": curve})


def report(comparison: Comparison, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write table and pictures of what there is so far."""
    found = rows(comparison, outcomes)
    (folder / "table.md").write_text(markdown(found), encoding="utf-8")
    table = [row.model_dump(mode="json") for row in found]
    (folder / "table.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    draw(folder, found)
