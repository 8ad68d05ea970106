"""Compares quantized scores with those of fp32, and checks the gates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from model_store.labels import assigned
from training.config import Gates
from training.errors import GateError
from training.evaluation.metrics import interval_of_difference, micro_f1
from training.publishing.thresholds import best_thresholds

# An export that is off by more than rounding has lost an input or a layer.
PARITY = 1e-4
# A smaller graph has more bytes in names than in weights; its size is irrelevant.
_SMALL = 4_000_000


@dataclass(frozen=True)
class Loss:
    """Micro-F1 of both graphs, each at the best thresholds for its own scores."""

    micro_f1_fp32: float
    micro_f1_int8: float
    interval: tuple[float, float]
    """95 % interval of the difference, by resampling papers."""

    @property
    def value(self) -> float:
        """Micro-F1 in fp32 less micro-F1 in int8."""
        return self.micro_f1_fp32 - self.micro_f1_int8


@dataclass(frozen=True)
class Comparison:
    """The cost of quantization, on papers that both graphs scored.

    A decision is changed if it differs at the thresholds that are shipped.
    """

    papers: int
    loss: Loss | None
    """None if the papers have no labels."""
    flipped: float
    """Share of papers with a changed decision."""
    largest_change: float
    bytes_fp32: int
    bytes_int8: int

    @property
    def least_flipped(self) -> float:
        """The lower bound of the exact interval of `flipped` (Clopper and Pearson 1934)."""
        changed = round(self.flipped * self.papers)
        return float(binomtest(changed, self.papers).proportion_ci(method="exact").low)


def compare(
    targets: NDArray[np.float32] | None, fp32: NDArray[np.floating], int8: NDArray[np.floating], sizes: tuple[int, int]
) -> Comparison:
    """Compare scores (papers, labels) of both graphs on the same papers; `sizes` are their bytes, fp32 first.

    Without targets, decisions are compared at the threshold 0.5.
    """
    thresholds = np.full(int8.shape[1], 0.5) if targets is None else best_thresholds(targets, int8)
    return Comparison(
        papers=len(int8),
        loss=None if targets is None else _loss(targets, fp32, int8),
        flipped=float((assigned(fp32, thresholds) != assigned(int8, thresholds)).any(axis=1).mean()),
        largest_change=float(np.abs(fp32 - int8).max()),
        bytes_fp32=sizes[0],
        bytes_int8=sizes[1],
    )


def _loss(targets: NDArray[np.float32], fp32: NDArray[np.floating], int8: NDArray[np.floating]) -> Loss:
    truth = targets > 0
    before, after = (assigned(scores, best_thresholds(targets, scores)) for scores in (fp32, int8))
    interval = interval_of_difference(truth, before, after, np.random.default_rng(0))
    return Loss(micro_f1(truth, before), micro_f1(truth, after), interval)


def missed_gates(found: Comparison, gates: Gates) -> list[str]:
    """A sentence for each gate that is missed by more than chance explains, with the figure and its limit."""
    missed, loss = [], found.loss
    if loss is not None and min(loss.interval[0], loss.value) > gates.micro_f1_loss:
        missed.append(f"the loss of micro-F1 against fp32 is {loss.value:.4g}, allowed is {gates.micro_f1_loss:.4g}")
    if found.least_flipped > gates.flipped:
        share = f"{found.flipped:.4g}, allowed is {gates.flipped:.4g}"
        missed.append(f"the share of papers with a changed decision is {share}")
    if found.bytes_int8 > max(gates.size * found.bytes_fp32, _SMALL):
        share = f"{found.bytes_int8 / found.bytes_fp32:.0%} of fp32, allowed is {gates.size:.0%}"
        missed.append(f"the size is {share}")
    if gates.bytes is not None and found.bytes_int8 > gates.bytes:
        missed.append(f"the size in bytes is {found.bytes_int8}, allowed is {gates.bytes}")
    return missed


def check_parity(expected: NDArray[np.floating], found: NDArray[np.floating], what: str = "the exported graph") -> None:
    """Raise GateError if `what` does not compute the scores of the stage before it."""
    off = float(np.abs(expected - found).max())
    if not off <= PARITY:  # `not` makes a NaN fail, too
        raise GateError(f"{what} is off by {off:.2g} from what it was made from, allowed is {PARITY}: a broken export")


def refuse(missed: list[str]) -> None:
    """Raise GateError with every gate that is missed."""
    if missed:
        raise GateError("not published, the quantized graph misses its gates: " + "; ".join(missed))
