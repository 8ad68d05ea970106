"""Fine-tuning here against the usual script, to the same validation micro-F1.

    python -m benchmarks.training_speed training/configs/first-pass.toml ../shared/data/papers_train.csv.gz --minutes 7

Both train the same encoder on the same papers with the same batches, epochs and learning rate, and are measured on the
same validation papers. The usual script is transformers' Trainer as in its tutorials: one process, every text padded to
the length that is served, in fp32, in random order. This project's script reads the shorter texts of [fit],
groups them by length, uses bf16 where the processor has it, starts with the configured head, biases and learning rates,
and runs one process for each processor.
A few steps of the usual script decide how many papers fit into the minutes. Time spent on evaluations does not count.
The ratio is that of the times at which each first reaches the lower of the two best figures.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, set_seed
from transformers.trainer_utils import EvalPrediction

from model_store.cpus import usable_cpus
from training import stages
from training.config import RunConfig, Source, read_config
from training.data.corpus import Corpus
from training.data.papers import Papers
from training.fitting.early_stopping import micro_f1_at_best_cut
from training.fitting.loop import arguments
from training.fitting.progress import MetricsFile, read_metrics
from training.run import TrainingRun, load_corpus
from training.run_dir import RunDir

_EVALUATIONS = 6  # per epoch: fine enough to see when a figure is reached
_VALIDATION_PAPERS = 300
_TRIAL_STEPS = 3
# Of the minutes, for the training steps of the usual script; the rest is for its evaluations and for ours.
_SHARE_OF_STEPS = 0.55
_FEWEST_BATCHES = 4


class Point(NamedTuple):
    """How many papers were read so far, the seconds that this took, and the micro-F1 then."""

    papers: float
    seconds: float
    micro_f1: float


def main(argv: Sequence[str] | None = None) -> int:
    """Train both, and print a Markdown table."""
    options = _parser().parse_args(argv)
    config = _comparable(read_config(options.config)[0], options.papers)
    with tempfile.TemporaryDirectory() as folder:
        speed = usual_speed(config, load_corpus(_sized(config, 10 * config.fit.batch_size)), Path(folder) / "trial")
        fewest = _FEWEST_BATCHES * config.fit.batch_size
        papers = max(fewest, round(speed * 60 * options.minutes * _SHARE_OF_STEPS / config.fit.epochs))
        print(f"{papers} papers at most: the usual script trains on {speed:.1f} a second", flush=True)
        config = _sized(config, papers)
        curves = {
            "usual script": usual(config, load_corpus(config), Path(folder) / "usual"),
            "this project": ours(config, options.processes, Path(folder) / "ours", 60 * options.minutes),
        }
    print(table(curves))
    return 0


def usual_speed(config: RunConfig, corpus: Corpus, folder: Path) -> float:
    """Papers a second of the usual script's first steps."""
    trainer = _usual_trainer(config, corpus, folder, max_steps=_TRIAL_STEPS, eval_strategy="no")
    runtime: float = trainer.train().metrics["train_runtime"]
    return _TRIAL_STEPS * config.fit.batch_size / runtime


def usual(config: RunConfig, corpus: Corpus, folder: Path) -> list[Point]:
    """Fine-tune as tutorials do: padded to the maximum, in fp32, in random order."""
    steps = max(1, len(corpus.train) // config.fit.batch_size // _EVALUATIONS)
    trainer = _usual_trainer(
        config,
        corpus,
        folder,
        num_train_epochs=config.fit.epochs,
        eval_strategy="steps",
        eval_steps=steps,
        logging_steps=steps,
    )
    trainer.add_callback(MetricsFile(folder / "metrics.jsonl"))
    trainer.train()
    return _curve(folder / "metrics.jsonl", config.fit.batch_size)


def _usual_trainer(config: RunConfig, corpus: Corpus, folder: Path, **more: Any) -> Trainer:
    set_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(config.encoder.source)
    model = AutoModelForSequenceClassification.from_pretrained(
        config.encoder.source, num_labels=len(corpus.labels), problem_type="multi_label_classification"
    )
    fixed = {"learning_rate": config.fit.learning_rate, "warmup_steps": config.fit.warmup, "save_strategy": "no"}
    return Trainer(
        model=model,
        args=arguments(folder, batch_size=config.fit.batch_size, precision="fp32", seed=config.seed, **fixed, **more),
        train_dataset=_padded(tokenizer, corpus.train, config.input.max_tokens),
        eval_dataset=_padded(tokenizer, corpus.validation, config.input.max_tokens),
        compute_metrics=_metrics,
    )


def ours(config: RunConfig, processes: int, folder: Path, limit_s: float) -> list[Point]:
    """Fit as `training fit` does, in this many processes. Raises RuntimeError or subprocess.TimeoutExpired."""
    folder.mkdir(parents=True)
    if processes == 1:
        fit(config, folder)
    else:
        (folder / "config.json").write_text(config.model_dump_json())
        launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
        # Threads that wait in a loop take the processors from the other processes.
        environ = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        command = [sys.executable, *launcher, "-m", "benchmarks.training_speed", "--fit", str(folder)]
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, start_new_session=True) as launched:
            try:
                launched.wait(limit_s)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(launched.pid, signal.SIGKILL)  # the processes of its session, should any be left
        if launched.returncode:
            raise RuntimeError(f"fitting ended with status {launched.returncode}")
    return _curve(RunDir(folder).metrics, config.fit.batch_size)


def fit(config: RunConfig, folder: Path) -> None:
    """One process of this project's script."""
    stages.fit(TrainingRun(config, "", load_corpus(config), RunDir(folder)), resume=False)


def table(curves: dict[str, list[Point]]) -> str:
    """Speeds, best figures, the times at which the lower of them is reached, and the ratio of these times."""
    target = min(max(point.micro_f1 for point in curve) for curve in curves.values())
    reached = {name: next(p.seconds for p in curve if p.micro_f1 >= target) for name, curve in curves.items()}
    lines = [f"| | papers/s | best micro-F1 | seconds to {target:.4f} |", "|---|---|---|---|"]
    for name, curve in curves.items():
        speed, best = curve[-1].papers / curve[-1].seconds, max(point.micro_f1 for point in curve)
        lines.append(f"| {name} | {speed:.1f} | {best:.4f} | {reached[name]:.1f} |")
    slow, fast = reached.values()
    return "\n".join([*lines, "", f"{curves['usual script'][-1].papers:.0f} papers; ratio {slow / fast:.2f}"])


def _curve(path: Path, batch_size: int) -> list[Point]:
    points, evaluating = [], 0.0
    for line in read_metrics(path):
        if "eval_micro_f1" in line:
            evaluating += line["eval_runtime"]
            points.append(Point(line["step"] * batch_size, line["seconds"] - evaluating, line["eval_micro_f1"]))
    return points


def _comparable(config: RunConfig, papers: Path) -> RunConfig:
    """Without the techniques that need other files, or that the usual script does not have."""
    data = {"train": (Source(path=papers),), "categories": None, "test": None, "held_out": (), "share": 1.0}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data | {"validation_sample": _VALIDATION_PAPERS}),
            "fit": config.fit.model_copy(update={"evaluations_per_epoch": _EVALUATIONS, "patience": 1000}),
            "teacher": None, "auxiliary": None, "exits": None, "pretrain": None,
        }
    )  # fmt: skip


def _sized(config: RunConfig, papers: int) -> RunConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"sample": papers})})


def _padded(tokenizer: AutoTokenizer, papers: Papers, max_tokens: int) -> list[dict[str, torch.Tensor]]:
    texts: Sequence[str] = [f"{paper.title} {paper.abstract}" for paper in papers.papers]
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, max_length=max_tokens, return_tensors="pt")
    targets = torch.from_numpy(papers.targets)
    return [{name: rows[i] for name, rows in encoded.items()} | {"labels": targets[i]} for i in range(len(papers))]


def _metrics(prediction: EvalPrediction) -> dict[str, float]:
    scores = 1 / (1 + np.exp(-np.asarray(prediction.predictions, dtype=np.float64)))
    return {"micro_f1": micro_f1_at_best_cut(np.asarray(prediction.label_ids), scores)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's TOML file")
    parser.add_argument("papers", type=Path, help="training papers with a column for each label")
    parser.add_argument("--minutes", type=float, default=7, help="for both together (default: %(default)s)")
    parser.add_argument(
        "--processes", type=int, default=usable_cpus(), help="of this project's script (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    if sys.argv[1] == "--fit":
        place = Path(sys.argv[2])
        fit(RunConfig.model_validate_json((place / "config.json").read_text()), place)
    else:
        sys.exit(main())
