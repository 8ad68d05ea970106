"""Files of labelled papers as people have them."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from model_store.papers import Paper
from tables import TableError
from tests.training import tiny
from training.config import DataConfig, Source
from training.data.labelled_file import LabelledFile
from training.data.papers import LabelledPaper
from training.errors import DataError


def labelled(path: Path, **options: Any) -> list[LabelledPaper]:
    return list(LabelledFile(path, DataConfig(train=(Source(path=path),), **options)))


def json_lines(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_abstracts_alone_and_titles_alone_are_papers(tmp_path: Path) -> None:
    abstracts = tiny.write_csv(tmp_path / "a.csv", [{"Abstract": "of stars", "X": 1}])
    titles = tiny.write_csv(tmp_path / "t.csv", [{"title": "Stars", "X": 1}])
    assert [paper.paper for paper in labelled(abstracts)] == [Paper("", "of stars")]
    assert [paper.paper for paper in labelled(titles)] == [Paper("Stars", "")]


def test_columns_are_recognized_by_the_names_that_databases_use(tmp_path: Path) -> None:
    file = tiny.write_csv(tmp_path / "wos.csv", [{"Article Title": "Stars", "AB": "of stars", "X": 1}])
    assert labelled(file) == [LabelledPaper(Paper("Stars", "of stars"), frozenset({"X"}), "", None, "", 1)]


def test_columns_can_be_named(tmp_path: Path) -> None:
    file = tiny.write_csv(tmp_path / "t.csv", [{"Heading": "Stars", "Words": "of stars", "X": 1}])
    found = LabelledFile(file, DataConfig(train=(Source(path=file),), title_column="Heading", abstract_column="Words"))
    assert found.labels == ("X",)
    assert next(iter(found)).paper == Paper("Stars", "of stars")
    with pytest.raises(DataError, match="has no column 'Haeding'; its columns are 'Heading', 'Words', 'X'"):
        labelled(file, title_column="Haeding")


def test_flags_mean_the_same_in_every_spelling(tmp_path: Path) -> None:
    rows: tiny.Rows = [
        {"title": "a", "X": "1.0", "Y": "False"}, {"title": "b", "X": "no", "Y": "TRUE"},
    ]  # fmt: skip
    expected = [frozenset({"X"}), frozenset({"Y"})]
    assert [paper.labels for paper in labelled(tiny.write_csv(tmp_path / "t.csv", rows))] == expected
    typed = json_lines(tmp_path / "t.jsonl", [{"title": "a", "X": 1.0, "Y": False}, {"title": "b", "X": 0, "Y": True}])
    assert [paper.labels for paper in labelled(typed)] == expected


def test_a_blank_flag_is_refused_unless_it_is_said_to_mean_0(tmp_path: Path) -> None:
    file = tiny.write_csv(tmp_path / "t.csv", [{"title": "a", "X": 1}, {"title": "b", "X": ""}])
    with pytest.raises(DataError, match="row 2, column 'X': is blank, expected 0 or 1; if blank means 0, say so"):
        labelled(file)
    assert [paper.labels for paper in labelled(file, blank_is_negative=True)] == [frozenset({"X"}), frozenset()]


def test_keys_that_json_lines_leave_out_are_blank_cells(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"title": f"t{i}", ("X", "Y")[i % 2]: 1} for i in range(200)]
    rows += [{"abstract": "a rare label, late in the file", "Z": 1}]
    file = json_lines(tmp_path / "t.jsonl", rows)
    found = LabelledFile(file, DataConfig(train=(Source(path=file),), blank_is_negative=True))
    papers = list(found)
    assert found.labels == ("X", "Y", "Z")
    assert papers[-1].paper == Paper("", "a rare label, late in the file")
    assert papers[-1].labels == {"Z"}


def test_texts_stay_as_they_are_for_the_preparation_looks_at_line_breaks(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "t.jsonl", [{"title": "classi-\nfication", "abstract": float("nan"), "X": 1}])
    assert labelled(file)[0].paper == Paper("classi-\nfication", "")


def test_a_category_counts_by_itself_or_by_its_archive(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "t.jsonl", [{"title": "a", "categories": "cs.LG math.CO"}])
    categories = {"Learning": ("cs.LG",), "Computer Science": ("cs",), "Topology": ("math.GT",)}
    assert labelled(file, categories=categories)[0].labels == {"Learning", "Computer Science"}


def test_label_columns_that_are_named_come_before_a_column_of_categories(tmp_path: Path) -> None:
    file = tiny.write_csv(tmp_path / "t.csv", [{"title": "a", "categories": "fiction; poems", "X": 1, "Y": 0}])
    config = DataConfig(train=(Source(path=file),), labels=("X", "Y"))
    found = LabelledFile(file, config)
    assert not found.has_categories
    assert [paper.labels for paper in found] == [frozenset({"X"})]


def test_a_column_of_categories_needs_a_table_or_names_of_other_labels(tmp_path: Path) -> None:
    file = tiny.write_csv(tmp_path / "t.csv", [{"title": "a", "categories": "cs.LG", "X": 1}])
    with pytest.raises(DataError, match=r"say in \[data\.categories\] .* or name the label columns in `data\.labels`"):
        labelled(file)


@pytest.mark.parametrize("broken", [b"\x1f\x8b\x08\x00", gzip.compress(b"title,X\n" + b"a,1\n" * 9000)[:-50]])
def test_a_corrupt_gz_is_one_sentence(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "t.csv.gz").write_bytes(broken)
    with pytest.raises(TableError, match=r"t\.csv\.gz cannot be read: "):
        labelled(tmp_path / "t.csv.gz")
