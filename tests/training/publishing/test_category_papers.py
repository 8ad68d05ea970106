"""Papers with their categories as targets, from tables as people have them."""

from pathlib import Path

import pytest

from model_store.papers import Paper
from tests.training import tiny
from training.errors import DataError
from training.publishing.category_papers import read_category_papers


def test_columns_are_recognized_in_every_spelling(tmp_path: Path) -> None:
    rows: tiny.Rows = [{"Title": "Stars", "Abstract": "of stars", "Categories": "x.Y cs.LG math.CO"}]
    found = read_category_papers(tiny.write_csv(tmp_path / "t.csv", rows), ("math.CO", "cs.LG", "cs.AI"))
    assert found.papers.papers == [Paper("Stars", "of stars")]
    assert found.papers.targets.tolist() == [[1, 1, 0]]
    assert found.primary.tolist() == [-1]


def test_papers_without_a_text_and_papers_of_other_categories_are_left_out(tmp_path: Path) -> None:
    rows: tiny.Rows = [
        {"title": "n/a", "abstract": "<p/>", "categories": "cs.LG"},
        {"title": "Proofs", "abstract": "", "categories": "math.CO"},
        {"title": "Stars", "abstract": "", "categories": "cs.LG"},
    ]
    found = read_category_papers(tiny.write_csv(tmp_path / "t.csv", rows), ("cs.LG",))
    assert found.papers.papers == [Paper("Stars")]
    assert found.primary.tolist() == [0]


def test_a_file_that_has_no_such_paper_is_refused(tmp_path: Path) -> None:
    path = tiny.write_csv(tmp_path / "t.csv", [{"title": "Stars", "categories": "math.CO"}])
    with pytest.raises(DataError, match="no paper has one of the 1 categories in a column `categories`"):
        read_category_papers(path, ("cs.LG",))
    path = tiny.write_csv(tmp_path / "t.csv", [{"title": "Stars", "X": 1}])
    with pytest.raises(DataError, match="has no column 'categories'; its columns are 'title', 'X'"):
        read_category_papers(path, ("cs.LG",))
