"""How fast this machine trains a network, measured on a few steps."""

import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from training.config import FitConfig
from training.fitting.loop import runs_bf16
from training.fitting.parameter_groups import parameter_groups
from training.model.network import SubjectNetwork

# Steps are timed until one of these is reached.
_SECONDS, _STEPS = 3.0, 10
# Small, so that a slow machine finishes a step within seconds.
_BATCH = 8


class Speed(NamedTuple):
    """Seconds that a paper takes in a training step: linear and quadratic in its word pieces.

    Products of the layers grow with the length, attention with its square.
    """

    linear: float
    quadratic: float

    def seconds(self, tokens: int) -> float:
        """Seconds for one paper of this length, forward and backward."""
        return self.linear * tokens + self.quadratic * tokens**2


def measure_speed(network: SubjectNetwork, vocabulary: int, shorter: int, longer: int) -> Speed:
    """Take a few steps on random word pieces at two lengths; the network's weights change."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(network, FitConfig(learning_rate=1e-6)), fused=True)
    first, second = (_seconds_per_paper(network, optimizer, vocabulary, length) for length in (shorter, longer))
    # Two equations in two unknowns; noise must not make either cost negative.
    quadratic = max(0.0, (second / longer - first / shorter) / (longer - shorter))
    return Speed(max(0.0, first / shorter - quadratic * shorter), quadratic)


def _seconds_per_paper(
    network: SubjectNetwork, optimizer: torch.optim.Optimizer, vocabulary: int, tokens: int
) -> float:
    batch = _random_batch(network, vocabulary, tokens)
    _step(network, optimizer, batch)  # the first step allocates memory
    started, fastest = time.perf_counter(), math.inf
    for _ in range(_STEPS):
        before = time.perf_counter()
        _step(network, optimizer, batch)
        # The fastest step, since other programs only ever make a step slower.
        fastest = min(fastest, time.perf_counter() - before)
        if time.perf_counter() - started > _SECONDS:
            break
    return fastest / _BATCH


def _step(network: SubjectNetwork, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]) -> None:
    device = next(network.parameters()).device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=runs_bf16("auto")):
        loss = network(**batch)["loss"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    loss.item()  # waits for a GPU to be done


def _random_batch(network: SubjectNetwork, vocabulary: int, tokens: int) -> dict[str, Tensor]:
    device = next(network.parameters()).device
    ids = torch.randint(vocabulary, (_BATCH, tokens), device=device)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "labels": torch.zeros(_BATCH, network.labels, device=device),
    }
