"""Papers with categories that are kept out of training."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from training.config import DataConfig, Source
from training.data.corpus import read_corpus
from training.data.holdout import hold_out
from training.errors import DataError

CATEGORIES = {"Physics": ("quant-ph",), "Mathematics": ("math",)}


def pool(folder: Path, papers: int = 40) -> Path:
    lines = [
        {"id": str(i), "title": f"Paper {i}", "abstract": "x", "categories": "quant-ph" if i % 2 else "math.CO math.PR"}
        for i in range(papers)
    ]
    path = folder / "pool.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def drawn(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_held_out_papers_keep_their_categories_and_are_not_trained_on(tmp_path: Path) -> None:
    path, output = pool(tmp_path), tmp_path / "holdout.csv.gz"
    assert hold_out(path, None, 10, 1, output) == 10
    held = drawn(output)
    assert len({row["id"] for row in held}) == 10
    for row in held:
        assert row["categories"] == ("quant-ph" if int(row["id"]) % 2 else "math.CO math.PR")

    config = DataConfig(train=(Source(path=path),), held_out=(output,), categories=CATEGORIES, validation_share=0.2)
    corpus = read_corpus(config, seed=1)
    read = {paper.title for paper in (*corpus.train.papers, *corpus.validation.papers)}
    assert read == {f"Paper {i}" for i in range(40)} - {row["title"] for row in held}


def test_the_same_seed_draws_the_same_papers(tmp_path: Path) -> None:
    path = pool(tmp_path)
    for name in ("a", "b"):
        hold_out(path, None, 10, 1, tmp_path / name)
    assert drawn(tmp_path / "a") == drawn(tmp_path / "b")


def test_only_papers_of_the_other_table_are_drawn(tmp_path: Path) -> None:
    like = tmp_path / "like.csv"
    like.write_text("TITLE,ABSTRACT,Physics\nPAPER  3,x,1\nPaper 4,x,0\nPaper 400,x,0\n")
    assert hold_out(pool(tmp_path), like, 10, 1, tmp_path / "out.csv.gz") == 2
    assert {row["title"] for row in drawn(tmp_path / "out.csv.gz")} == {"Paper 3", "Paper 4"}


def test_a_table_without_categories_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("TITLE,ABSTRACT,Physics\na,x,1\n")
    with pytest.raises(DataError, match="has no column 'categories'"):
        hold_out(tmp_path / "t.csv", None, 10, 1, tmp_path / "out.csv.gz")
