"""Compares the quantized graph with fp32 on the validation papers and holds it to the gates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.classifier import Graph
from model_store.labels import assigned
from model_store.papers import Encoding
from training.config import Gates
from training.errors import GateError
from training.evaluation.metrics import micro_f1
from training.publishing.thresholds import best_thresholds

# An export that is off by more than rounding has lost an input or a layer.
PARITY = 1e-4


@dataclass(frozen=True)
class Comparison:
    """What quantization cost.

    Micro-F1 is each graph's own, at the best thresholds of its own scores; a decision has flipped
    if it differs at the thresholds that are shipped.
    """

    micro_f1_fp32: float
    micro_f1_int8: float
    flipped: float
    largest_change: float
    bytes_fp32: int
    bytes_int8: int


def graph_scores(graph: Graph, encodings: Sequence[Encoding], what: str) -> NDArray[np.float32]:
    """Scores of all papers one by one, shape (papers, labels), with a progress bar."""
    return np.stack([graph(encoding).scores for encoding in tqdm(encodings, desc=what, unit="paper", mininterval=5)])


def compare(
    targets: NDArray[np.float32],
    fp32: NDArray[np.floating],
    int8: NDArray[np.floating],
    sizes: tuple[int, int],
) -> Comparison:
    """Compare scores of both graphs on the same papers; `sizes` are their bytes, fp32 first."""
    thresholds = best_thresholds(targets, int8)
    decisions = {"fp32": assigned(fp32, thresholds), "int8": assigned(int8, thresholds)}
    return Comparison(
        micro_f1_fp32=micro_f1(targets > 0, assigned(fp32, best_thresholds(targets, fp32))),
        micro_f1_int8=micro_f1(targets > 0, decisions["int8"]),
        flipped=float((decisions["fp32"] != decisions["int8"]).any(axis=1).mean()),
        largest_change=float(np.abs(fp32 - int8).max()),
        bytes_fp32=sizes[0],
        bytes_int8=sizes[1],
    )


def hold_gates(found: Comparison, gates: Gates) -> None:
    """Raise GateError with every gate that is missed, and by how much."""
    loss = found.micro_f1_fp32 - found.micro_f1_int8
    missed = [
        f"{what} is {value:.4g}, allowed is {allowed:.4g}"
        for what, value, allowed in (
            ("the loss of micro-F1 against fp32", loss, gates.micro_f1_loss),
            ("the share of papers with a changed decision", found.flipped, gates.flipped),
            ("the size in bytes", found.bytes_int8, gates.bytes),
        )
        if value > allowed
    ]
    if missed:
        raise GateError("not published, the quantized graph misses its gates: " + "; ".join(missed))


def hold_parity(expected: NDArray[np.floating], found: NDArray[np.floating], what: str = "the exported graph") -> None:
    """Raise GateError if `what` does not compute what the stage before it does."""
    off = float(np.abs(expected - found).max())
    if not off <= PARITY:
        raise GateError(f"{what} is off by {off:.2g} from what it was made from, allowed is {PARITY}: a broken export")
