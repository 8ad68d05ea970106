"""Fine-tuning here against the usual script, to the same validation micro-F1.

    python -m benchmarks.training_speed training/configs/full.toml --papers 12000
    python -m benchmarks.training_speed training/configs/full.toml --quick

Both train the same encoder on the same papers with the same batches, epochs and learning rate, and are measured
on the same validation papers. The usual script is transformers' Trainer as in its tutorials: every text padded to
the length that is served, in fp32, in random order. Ours reads the shorter texts of [fit], groups them by length,
uses bf16 where the processor has it, and starts with the configured head and rates. Time spent on evaluations does
not count. The verdict is the ratio of the times at which each first reaches the lower of the two best figures.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, set_seed
from transformers.trainer_utils import EvalPrediction

from training import stages
from training.config import RunConfig, read_config
from training.data.corpus import Corpus
from training.data.papers import Papers
from training.fitting.early_stopping import micro_f1_at_best_cut
from training.fitting.loop import arguments
from training.fitting.progress import MetricsFile, read_metrics
from training.run import TrainingRun, load_corpus
from training.run_dir import RunDir

_EVALUATIONS = 8  # per epoch: fine enough to see when a figure is reached
_QUICK = {"train": 600, "validation": 200}


class Point(NamedTuple):
    """Seconds of training so far, and the micro-F1 then."""

    seconds: float
    micro_f1: float


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's TOML file")
    parser.add_argument("--papers", type=int, default=12_000, help="training papers (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="minutes: too few papers for a figure to quote")
    options = parser.parse_args(arguments)
    config, _ = read_config(options.config)
    config = _sized(config, _QUICK["train"] if options.quick else options.papers, quick=options.quick)
    corpus = load_corpus(config)
    with tempfile.TemporaryDirectory() as folder:
        curves = {
            "usual script": usual(config, corpus, Path(folder) / "usual"),
            "this project": ours(config, corpus, Path(folder) / "ours"),
        }
    print(table(curves))
    return 0


def ours(config: RunConfig, corpus: Corpus, folder: Path) -> list[Point]:
    """Fit as `training fit` does."""
    run = TrainingRun(config, "", corpus, RunDir(folder))
    folder.mkdir(parents=True)
    stages.fit(run, resume=False)
    return _curve(run.dir.metrics)


def usual(config: RunConfig, corpus: Corpus, folder: Path) -> list[Point]:
    """Fine-tune as tutorials do: padded to the maximum, in fp32, in random order."""
    set_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(config.encoder.source)
    model = AutoModelForSequenceClassification.from_pretrained(
        config.encoder.source, num_labels=len(corpus.labels), problem_type="multi_label_classification"
    )
    steps = max(1, len(corpus.train) // config.fit.batch_size // _EVALUATIONS)
    trainer = Trainer(
        model=model,
        args=arguments(
            folder,
            batch_size=config.fit.batch_size,
            precision="fp32",
            seed=config.seed,
            num_train_epochs=config.fit.epochs,
            learning_rate=config.fit.learning_rate,
            warmup_steps=config.fit.warmup,
            eval_strategy="steps",
            eval_steps=steps,
            save_strategy="no",
            logging_steps=steps,
        ),
        train_dataset=_padded(tokenizer, corpus.train, config.input.max_tokens),
        eval_dataset=_padded(tokenizer, corpus.validation, config.input.max_tokens),
        compute_metrics=_metrics,
        callbacks=[MetricsFile(folder / "metrics.jsonl")],
    )
    trainer.train()
    return _curve(folder / "metrics.jsonl")


def table(curves: dict[str, list[Point]]) -> str:
    """Best figures, the time at which the lower of them is reached, and the ratio of these times."""
    target = min(max(point.micro_f1 for point in curve) for curve in curves.values())
    reached = {name: next(p.seconds for p in curve if p.micro_f1 >= target) for name, curve in curves.items()}
    lines = [f"{'':14} best micro-F1  seconds to {target:.4f}"]
    lines += [
        f"{name:14} {max(p.micro_f1 for p in curve):13.4f}  {reached[name]:17.1f}" for name, curve in curves.items()
    ]
    slow, fast = reached.values()
    return "\n".join([*lines, f"ratio {slow / fast:.2f}"])


def _curve(path: Path) -> list[Point]:
    points, evaluating = [], 0.0
    for line in read_metrics(path):
        if "eval_micro_f1" in line:
            evaluating += line["eval_runtime"]
            points.append(Point(line["seconds"] - evaluating, line["eval_micro_f1"]))
    return points


def _sized(config: RunConfig, papers: int, *, quick: bool) -> RunConfig:
    data = {"sample": papers} | ({"validation_sample": _QUICK["validation"]} if quick else {})
    # Techniques that need other files, or that the usual script does not have, are left out of both.
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "fit": config.fit.model_copy(update={"evaluations_per_epoch": _EVALUATIONS, "patience": 1000}),
            "teacher": None, "auxiliary": None, "exits": None, "pretrain": None,
        }
    )  # fmt: skip


def _padded(tokenizer: AutoTokenizer, papers: Papers, max_tokens: int) -> list[dict[str, torch.Tensor]]:
    texts: Sequence[str] = [f"{paper.title} {paper.abstract}" for paper in papers.papers]
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, max_length=max_tokens, return_tensors="pt")
    targets = torch.from_numpy(papers.targets)
    return [{name: rows[i] for name, rows in encoded.items()} | {"labels": targets[i]} for i in range(len(papers))]


def _metrics(prediction: EvalPrediction) -> dict[str, float]:
    scores = 1 / (1 + np.exp(-np.asarray(prediction.predictions, dtype=np.float64)))
    return {"micro_f1": micro_f1_at_best_cut(np.asarray(prediction.label_ids), scores)}


if __name__ == "__main__":
    sys.exit(main())
