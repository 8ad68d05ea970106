"""Gates: nothing bad is published."""

import dataclasses

import numpy as np
import pytest

from training.config import Gates
from training.errors import GateError
from training.publishing.verify import Comparison, compare, hold_gates, hold_parity

GOOD = Comparison(0.9, 0.899, 0.01, 0.1, 90, 23)
GATES = Gates(micro_f1_loss=0.003, flipped=0.03, bytes=30)


def test_a_good_graph_passes() -> None:
    hold_gates(GOOD, GATES)


def test_a_graph_better_than_fp32_passes() -> None:
    hold_gates(dataclasses.replace(GOOD, micro_f1_int8=0.95), GATES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"micro_f1_int8": 0.89}, "loss of micro-F1 against fp32 is 0.01, allowed is 0.003"),
        ({"flipped": 0.04}, "changed decision is 0.04"),
        ({"bytes_int8": 31}, "size in bytes is 31"),
    ],
)
def test_each_gate_holds_and_says_by_how_much(change: dict[str, float], said: str) -> None:
    with pytest.raises(GateError, match=said):
        hold_gates(dataclasses.replace(GOOD, **change), GATES)  # type: ignore[arg-type]


def test_flips_are_counted_by_paper() -> None:
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], dtype=np.float32)
    fp32 = np.where(targets > 0, 0.9, 0.1).astype(np.float32)
    int8 = fp32.copy()
    int8[0] = [0.1, 0.9]
    found = compare(targets, fp32, int8, (90, 23))
    assert found.flipped == 0.25
    assert found.micro_f1_fp32 == 1.0
    assert found.largest_change == pytest.approx(0.8)


def test_a_broken_export_is_caught() -> None:
    right = np.full((2, 3), 0.5, dtype=np.float32)
    hold_parity(right, right + 1e-6)
    with pytest.raises(GateError, match="a broken export"):
        hold_parity(right, right + 0.1)
    with pytest.raises(GateError, match="off by nan"):
        hold_parity(right, right * np.float32("nan"))
