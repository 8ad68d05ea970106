"""Pairs of similar texts, and how their labels agree."""

import json
from pathlib import Path

import pytest

from benchmarks.label_noise import Pair, agreement, find_pairs, main
from model_store.papers import Paper

WORDS = [f"word{i}" for i in range(200)]


def paper(start: int, stop: int) -> Paper:
    return Paper("", " ".join(WORDS[start:stop]))


def test_papers_that_share_most_of_their_text_are_a_pair() -> None:
    ((first, second, similarity),) = find_pairs([paper(0, 100), paper(110, 200), paper(10, 100)])
    assert (first, second) == (0, 2)
    assert similarity == pytest.approx(87 / 97)  # sequences of four words: 97 and 87


def test_case_and_punctuation_do_not_matter() -> None:
    (pair,) = find_pairs([Paper("A Quantum walk, on graphs", "We show."), Paper("a quantum walk on graphs", "we show")])
    assert pair.similarity == 1


def test_agreement_is_the_micro_f1_of_one_annotation_against_the_other() -> None:
    annotations = [frozenset("ab"), frozenset("b"), frozenset("c"), frozenset("c")]
    found = agreement([Pair(0, 1, 1.0), Pair(2, 3, 1.0)], annotations)
    assert (found.pairs, found.same) == (2, 0.5)
    assert found.micro_f1 == pytest.approx(2 * 2 / 5)


def test_the_table_counts_labels_and_categories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(WORDS[:60])
    rows = [{"title": "t", "abstract": text, "categories": names} for names in ("math.CO", "math.CO cs.DM")]
    table = tmp_path / "papers.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    assert main(["training/configs/full.toml", str(table)]) == 0
    assert "| 0.8 | 1 | 0.0% | 0.667 | 0.0% | 0.667 |" in capsys.readouterr().out
