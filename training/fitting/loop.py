"""Arguments that all training loops share: device, batch size per process, precision and log."""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from training.config import Precision
from training.fitting.distributed import ProcessGroup


def arguments(folder: Path, *, batch_size: int, precision: Precision, seed: int, **more: Any) -> TrainingArguments:
    """transformers' TrainingArguments for batches of `batch_size` papers over all processes.

    Raises ConfigError if such a batch cannot be divided evenly among the processes.
    """
    papers = ProcessGroup.from_environment().per_process(batch_size)
    result = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=papers,
        per_device_eval_batch_size=2 * papers,
        bf16=runs_bf16(precision),
        use_cpu=not torch.cuda.is_available(),  # without this, transformers refuses bf16 on a CPU
        report_to=["tensorboard"],
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        data_seed=seed,
        dataloader_pin_memory=torch.cuda.is_available(),
        **more,
    )
    # One device per process: if several GPUs are visible, transformers wraps the network in DataParallel and
    # multiplies the batch by their number. Several devices are used through torchrun.
    result._n_gpu = min(result.n_gpu, 1)
    return result


def runs_bf16(precision: Precision) -> bool:
    """Whether training uses bf16: if asked for, or if "auto" finds a device on which it is faster than fp32."""
    return precision == "bf16" or (precision == "auto" and device_runs_bf16(_cpu_flags()))


def device_runs_bf16(flags: str) -> bool:
    """Whether bf16 is faster than fp32: on a GPU that has it, or on a CPU whose `flags` name it.

    On a processor without it bf16 is emulated, some twenty times slower than fp32.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))


def _cpu_flags() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
