"""The cost of labelling: texts of the wanted lengths, right prices, and a report that names what is missing."""

import json
from pathlib import Path

import pytest

from benchmarks.cost.__main__ import main, price_table, table
from benchmarks.cost.points import Point, text_of
from model_store.papers import InputFormat, PaperEncoder
from tests import builders
from tests.training import tiny

pytestmark = pytest.mark.train


@pytest.mark.parametrize("pieces", [8, 16, 32])
def test_texts_have_the_wanted_number_of_word_pieces(pieces: int) -> None:
    encode = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=64)).encode
    # Every third word has two pieces.
    words = ["a", "theorem", "stars"] * 50
    (encoding,) = encode([text_of(words, pieces, encode)])
    assert pieces - 2 <= len(encoding.input_ids) <= pieces


def test_rates_become_papers_a_day_and_euros() -> None:
    # A hundred a second are 8.64 million a day; ten million take 27.8 hours of two cores.
    rows = price_table([Point("cores", 1, 60.0, 0), Point("cores", 2, 100.0, 0)], price=0.05)
    assert rows[-1] == "| 2 | 8.6 million | 28 | 2.78 |"
    assert rows[-2] == "| 1 | 5.2 million | 46 | 2.31 |"


def test_each_axis_has_its_values_and_rates() -> None:
    lines = table([Point("clients", 4, 90.0, 0), Point("clients", 1, 70.4, 2)])
    start = next(i for i, line in enumerate(lines) if line.startswith("| **clients** | 1 | 4 |"))
    assert lines[start + 1].startswith("| papers/s | 70 (2 errors) | 90 |")


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    builders.publish(tmp_path / "store")
    papers = tiny.write_csv(tmp_path / "papers.csv", tiny.papers(5))
    main([str(papers), "--output", str(tmp_path / "out"), "--model", "another", "--store", str(tmp_path / "store")])
    assert "another: " in (tmp_path / "out/cost.md").read_text()
    assert json.loads((tmp_path / "out/cost.json").read_text())["points"] == []
    assert (tmp_path / "out/cost.png").stat().st_size > 0
