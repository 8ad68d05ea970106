"""Labels flipped on purpose are found, and uncertain papers are listed for labelling."""

import csv
from pathlib import Path

import numpy as np
import pytest

from model_store.papers import Paper
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.review.label_errors import likely_errors
from training.review.next_papers import expected_errors, most_worth_labelling


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def flipped_papers(count: int, every: int) -> tuple[tiny.Rows, set[int]]:
    """Papers whose words tell their labels, the first label of some of them turned around."""
    rows = tiny.papers(count)
    flipped = set(range(0, count, every))
    for number in flipped:
        rows[number]["Physics"] = 1 - int(str(rows[number]["Physics"]))
    return rows, {number + 1 for number in flipped}


def test_flipped_labels_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, flipped = flipped_papers(400, every=20)
    papers = tiny.write_csv(tmp_path / "papers.csv", rows)
    assert main(["review", str(papers), "--output", str(tmp_path / "review")]) == 0
    listed = lines(tmp_path / "review/label-errors.csv")
    first = listed[: len(flipped)]
    assert sum(int(line["row"]) in flipped and line["label"] == "Physics" for line in first) >= 0.8 * len(flipped)
    assert [int(line["rank"]) for line in listed] == list(range(1, len(listed) + 1))
    assert f"{len(listed)} suspicious labels of 400 papers" in capsys.readouterr().out


def test_a_title_that_a_spreadsheet_would_compute_is_made_safe(tmp_path: Path) -> None:
    rows, _ = flipped_papers(200, every=10)
    papers = tiny.write_csv(tmp_path / "p.csv", [row | {"TITLE": f"=cmd|{row['TITLE']}"} for row in rows])
    assert main(["review", str(papers), "--output", str(tmp_path)]) == 0
    listed = lines(tmp_path / "label-errors.csv")
    assert listed
    assert all(line["title"].startswith("'=cmd|") for line in listed)


def test_an_artefact_can_score_papers_and_a_pool(tmp_path: Path) -> None:
    builders.publish(tmp_path / "store")
    papers = tiny.write_csv(tmp_path / "p.csv", tiny.papers(60))
    pool = tiny.write_csv(tmp_path / "pool.csv", [{"id": i, "title": f"a star {i}", "abstract": ""} for i in range(30)])
    options = ["--artefact", "latest", "--store", str(tmp_path / "store"), "--pool", str(pool), "--count", "7"]
    assert main(["review", str(papers), *options, "--output", str(tmp_path / "review")]) == 0
    listed = lines(tmp_path / "review/label-next.csv")
    assert len(listed) == 7
    assert all(line["title"] == f"a star {line['id']}" for line in listed)


def test_too_few_papers_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: tiny.Rows = [{"title": f"word{i}", "X": i % 2} for i in range(6)]
    papers = tiny.write_csv(tmp_path / "p.csv", rows)
    assert main(["review", str(papers), "--output", str(tmp_path / "review")]) == 2
    assert "error: too few papers to learn from" in capsys.readouterr().err


def test_one_label_is_reviewed_like_several(tmp_path: Path) -> None:
    rows, flipped = flipped_papers(300, every=30)
    one = [{key: row[key] for key in ("TITLE", "ABSTRACT", "Physics")} for row in rows]
    assert main(["review", str(tiny.write_csv(tmp_path / "p.csv", one)), "--output", str(tmp_path)]) == 0
    first = lines(tmp_path / "label-errors.csv")[: len(flipped)]
    assert sum(int(line["row"]) in flipped for line in first) >= 0.8 * len(flipped)


def test_columns_that_are_no_labels_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows, _ = flipped_papers(200, every=20)
    more: tiny.Rows = [row | {"year": 1990 + i, "doi": f"10.1/{i}", "categories": "a; b"} for i, row in enumerate(rows)]
    papers = tiny.write_csv(tmp_path / "p.csv", more)
    with caplog.at_level("INFO", logger="training"):
        assert main(["review", str(papers), "--output", str(tmp_path)]) == 0
    assert {line["label"] for line in lines(tmp_path / "label-errors.csv")} <= set(tiny.LABELS)
    expected = "'year' (row 1 holds '1990'), 'doi' (row 1 holds '10.1/0'), 'categories' (row 1 holds 'a; b')"
    assert f"left out, because they do not hold just 0 and 1: {expected}" in caplog.text


def test_a_file_without_columns_of_0_and_1_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    papers = tiny.write_csv(tmp_path / "p.csv", [{"title": "a", "categories": "cs.LG"}])
    assert main(["review", str(papers), "--output", str(tmp_path)]) == 2
    assert "no column holds only 0 and 1; looked at 'categories' (row 1 holds 'cs.LG')" in capsys.readouterr().err


def test_labels_are_judged_relative_to_the_usual_confidence_of_the_model() -> None:
    given = np.array([[1], [1], [1], [0], [0], [0], [0]], dtype=np.bool_)
    scores = np.array([[0.4], [0.3], [0.05], [0.38], [0.01], [0.02], [0.1]])
    found = likely_errors(given, scores)
    assert [(error.paper, error.given) for error in found] == [(2, True), (3, False)]
    assert found[0].margin == pytest.approx(0.9)


def test_a_label_that_all_papers_have_is_never_suspicious() -> None:
    assert likely_errors(np.ones((4, 1), dtype=np.bool_), np.array([[0.1], [0.9], [0.2], [0.4]])) == []


def test_uncertain_papers_come_first_and_near_equals_later() -> None:
    papers = [Paper("quantum stars"), Paper("quantum stars"), Paper("proofs of theorems"), Paper("settled")]
    scores = np.array([[0.5, 0.5], [0.5, 0.49], [0.4, 0.4], [0.01, 0.99]])
    assert expected_errors(scores) == pytest.approx([1.0, 0.99, 0.8, 0.02])
    assert most_worth_labelling(papers, scores, 3) == [0, 2, 3]
    assert len(most_worth_labelling(papers, scores, 10)) == 4
