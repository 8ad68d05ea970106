"""The operators of a graph against the peaks of the processor: right counts, and a complete report."""

import json
from pathlib import Path

import pytest

from benchmarks.roofline.__main__ import least_seconds, main, operator_table
from benchmarks.roofline.operators import Operator, cost
from benchmarks.roofline.peaks import Peaks
from model_store.store import Store
from tests import builders
from tests.training import tiny

pytestmark = pytest.mark.train

PEAKS = Peaks(threads=1, int8_gops=400, fp32_gflops=100, cache_gb_s=50, memory_gb_s=10)


def _record(kind: str, inputs: list[list[int]], output: list[int]) -> dict[str, object]:
    return {
        "op_name": kind,
        "input_type_shape": [{"float": shape} for shape in inputs],
        "output_type_shape": [{"float": output}],
        "activation_size": "1000",
        "parameter_size": "10",
        "output_size": "500",
    }


def test_operations_and_bytes_of_products() -> None:
    feed_forward = _record("MatMulIntegerToFloat", [[1, 200, 384], []], [1, 200, 1536])
    assert cost(feed_forward) == (2 * 200 * 384 * 1536, 1510 + 384 * 1536)
    head = _record("MatMul", [[1, 384]], [1, 50])
    assert cost(head) == (2 * 384 * 50, 1510 + 4 * 384 * 50)
    # The last layer computes one row of queries for all keys.
    attention = _record("MultiHeadAttention", [[1, 1, 384], [1, 200, 384], [1, 200, 384]], [1, 1, 384])
    assert cost(attention) == (4 * 200 * 384, 1510)


def test_other_operators_are_counted_by_their_bytes() -> None:
    assert cost(_record("Gelu", [[1, 200, 1536]], [1, 200, 1536])) == (0, 1510)
    assert cost(_record("Gather", [[30_000, 384], [200]], [200, 384])) == (0, 1000)


def test_an_operator_takes_its_operations_or_its_bytes_whichever_is_longer() -> None:
    assert least_seconds(Operator("DynamicQuantizeMatMul", 1, 1.0, 4e9, 1e6), PEAKS) == pytest.approx(0.01)
    assert least_seconds(Operator("MatMul", 1, 1.0, 4e9, 1e6), PEAKS) == pytest.approx(0.04)
    assert least_seconds(Operator("Gelu", 1, 1.0, 0, 5e8), PEAKS) == pytest.approx(0.01)


def test_the_table_adds_up() -> None:
    operators = [Operator("MatMul", 2, 0.03, 1e9, 1e6), Operator("Gelu", 1, 0.01, 0, 1e8)]
    *_, product, gelu, total = operator_table(operators, PEAKS)
    assert product == "| MatMul | 2 | 30.00 | 75% | 1.00 | 33 | 10.00 | 33% |"
    assert gelu == "| Gelu | 1 | 10.00 | 25% | – | – | 2.00 | 20% |"
    assert total == "| all | 3 | 40.00 | 100% | 1.00 | 25 | 12.00 | 30% |"


def test_a_report_of_an_artefact_with_exits(tmp_path: Path) -> None:
    Store(tmp_path / "store").publish(
        builders.manifest(exits=builders.exits(0.5)), {**builders.files(), **builders.parts()}
    )
    papers = tiny.write_csv(tmp_path / "papers.csv", tiny.papers(5))
    options = ["--artefact", "tiny-subjects", "--store", str(tmp_path / "store"), "--seconds", "0.01"]
    main([str(papers), "--output", str(tmp_path / "out"), *options])
    found = json.loads((tmp_path / "out/roofline.json").read_text())
    assert min(value for peaks in found["peaks"] for value in peaks.values()) > 0
    # Both parts look at every paper: each ends in a sigmoid.
    assert {one["kind"]: one["runs"] for one in found["operators"]}["Sigmoid"] == 2
    assert "tiny-subjects 1.0.0, 5 papers" in (tmp_path / "out/roofline.md").read_text()
    assert (tmp_path / "out/roofline.png").stat().st_size > 0
