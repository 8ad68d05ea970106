"""Fine-tuning with transformers' Trainer, with batches, learning rates and a log of our own."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments, default_data_collator
from transformers.trainer_utils import EvalPrediction

from training.config import FitConfig, Precision
from training.data.batches import Collator, EncodedPapers, LengthGroupedSampler
from training.fitting.averaging import Averaging, load_average
from training.fitting.checkpoints import last_checkpoint
from training.fitting.early_stopping import micro_f1_at_best_cut
from training.fitting.frozen import FrozenNetwork, PaperStates, read_by_encoder
from training.fitting.loop import arguments, runs_bf16
from training.fitting.parameter_groups import parameter_groups
from training.fitting.progress import MetricsFile
from training.fitting.schedule import rate
from training.model.network import SubjectNetwork

_METRIC = "micro_f1"
_Dataset = EncodedPapers | PaperStates


def fit(
    network: SubjectNetwork,
    train: EncodedPapers,
    validation: EncodedPapers,
    config: FitConfig,
    *,
    pad_id: int,
    seed: int,
    folder: Path,
    resume: bool,
) -> None:
    """Fine-tune the network; it ends with the weights of the best evaluation.

    A frozen encoder reads every paper once, before the first epoch, unless papers are read in chunks.

    Writes checkpoints, TensorBoard events and `metrics.jsonl` below `folder`. With `resume` it continues from the last
    complete checkpoint, if there is one, and ends with the weights that an uninterrupted run of the same seed has.
    Several processes divide each batch among them; ConfigError if that is not possible evenly.
    """
    if network.frozen and network.chunks is None:
        learned = _frozen(network, train, validation, config, pad_id, folder)
    else:
        learned = _Learned(network, train, validation, Collator(pad_id), config.precision)
    trainer = _SubjectTrainer(
        model=learned.model,
        args=_arguments(config, learned.precision, len(train), seed, folder),
        train_dataset=learned.train,
        eval_dataset=learned.validation,
        data_collator=learned.collate,
        compute_metrics=_metrics,
        callbacks=[EarlyStoppingCallback(config.patience), MetricsFile(folder / "metrics.jsonl")],
    )
    trainer.fit_config = config
    if config.averaging != "none":
        trainer.averaging = Averaging(learned.model, config)
        trainer.add_callback(trainer.averaging)
    last = last_checkpoint(folder) if resume else None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.averaging and trainer.state.best_model_checkpoint:
        load_average(learned.model, Path(trainer.state.best_model_checkpoint))


class _Learned(NamedTuple):
    """What learns, and from what."""

    model: nn.Module
    train: _Dataset
    validation: _Dataset
    collate: Callable[[Any], Any]
    precision: Precision


def _frozen(
    network: SubjectNetwork,
    train: EncodedPapers,
    validation: EncodedPapers,
    config: FitConfig,
    pad_id: int,
    folder: Path,
) -> _Learned:
    """The heads of the network and the states of the papers, computed now unless they are in `folder`."""
    bf16, states = runs_bf16(config.precision), folder / "states"
    return _Learned(
        FrozenNetwork(network),
        read_by_encoder(network, train, pad_id, states / "train", bf16=bf16),
        read_by_encoder(network, validation, pad_id, states / "validation", bf16=bf16),
        default_data_collator,
        "fp32",  # the heads are so small that bf16 saves no time
    )


class _SubjectTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped
    fit_config: FitConfig
    averaging: Averaging | None = None
    optimizer: torch.optim.Optimizer | None
    lr_scheduler: torch.optim.lr_scheduler.LRScheduler | None

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            groups = parameter_groups(self.model, self.fit_config)
            self.optimizer = torch.optim.AdamW(groups, lr=self.fit_config.learning_rate, fused=True)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        if self.lr_scheduler is None:
            shape = partial(rate, steps=num_training_steps, config=self.fit_config)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.create_optimizer(), shape)
        return self.lr_scheduler

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        with self.averaging.in_place() if self.averaging else nullcontext():
            figures: dict[str, float] = super().evaluate(*args, **kwargs)
        return figures

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        if self.averaging and output_dir and self.args.should_save:
            self.averaging.write(Path(output_dir))

    def _get_train_sampler(self, train_dataset: _Dataset | None = None) -> LengthGroupedSampler:
        papers = train_dataset or self.train_dataset
        return LengthGroupedSampler(papers.lengths, self.fit_config.batch_size, self.args.seed)


def _arguments(config: FitConfig, precision: Precision, papers: int, seed: int, folder: Path) -> TrainingArguments:
    steps = math.ceil(papers / config.batch_size)
    evaluate_every = max(1, int(steps / config.evaluations_per_epoch))
    return arguments(
        folder,
        batch_size=config.batch_size,
        precision=precision,
        seed=seed,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        eval_strategy="steps",
        eval_steps=evaluate_every,
        save_steps=evaluate_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=_METRIC,
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, steps // 40),
    )


def _metrics(prediction: EvalPrediction) -> dict[str, float]:
    scores = 1 / (1 + np.exp(-np.asarray(prediction.predictions, dtype=np.float64)))
    return {_METRIC: micro_f1_at_best_cut(np.asarray(prediction.label_ids), scores)}
