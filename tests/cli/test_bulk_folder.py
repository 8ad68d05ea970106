"""Which tables `papers classify --engine ray` reads, in folders and object stores."""

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from cli.bulk.folder import find_tables
from cli.errors import CliError

NAMES = (
    "a.csv", "b[1].csv", "more/c.parquet", "more/notes.docx", ".hidden/d.csv", "_done/e.json", "_rejected/f.jsonl",
    "labelled/part-00000-000000.csv", "labelled-before/g.csv",
)  # fmt: skip
TABLES = ["a.csv", "b[1].csv", "labelled-before/g.csv", "more/c.parquet"]
Find = Callable[[str], list[str]]


@pytest.fixture(params=["path", "address"])
def find(request: pytest.FixtureRequest, tmp_path: Path) -> Find:
    """Finds tables by a name below the folder of the test; the output is in the same folder."""
    root = str(tmp_path) if request.param == "path" else f"memory://{tmp_path}"
    for name in NAMES:
        with fsspec.open(f"{root}/{name}", "w", auto_mkdir=True) as file:
            file.write("title")
    prefix = f"{root}/"
    return lambda name: [each.removeprefix(prefix) for each in find_tables(prefix + name, f"{root}/labelled")]


def test_all_tables_of_a_folder_are_found_but_none_of_the_output_and_no_notes(find: Find) -> None:
    assert find("") == TABLES


@pytest.mark.parametrize(
    ("pattern", "tables"),
    [
        ("a.csv", ["a.csv"]), ("b[1].csv", ["b[1].csv"]), ("?.csv", ["a.csv"]),
        ("*", ["a.csv", "b[1].csv"]), ("**/*.csv", TABLES[:3]), ("more", ["more/c.parquet"]),
        ("_done", ["_done/e.json"]),
    ],
)  # fmt: skip
def test_patterns_match_files_and_names_are_taken_literally_first(find: Find, pattern: str, tables: list[str]) -> None:
    assert [each for each in find(pattern) if not each.startswith(".")] == tables


@pytest.mark.parametrize("name", ["labelled", "none.csv", "*.tsv"])
def test_no_table_is_an_error(find: Find, name: str) -> None:
    with pytest.raises(CliError, match="there is no table"):
        find(name)
