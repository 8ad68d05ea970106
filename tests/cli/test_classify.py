"""`papers classify`: what goes in and what comes out."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from cli.added_columns import AddedColumns
from cli.labellers import Labels, Prediction
from model_store.papers import Paper
from model_store.store import Store
from tests.cli.command import ADDED, LABELS, ROWS, Command, read_csv, read_lines, write_csv, write_lines

ROOT = Path(__file__).parents[2]


def test_one_paper_is_described_for_people(papers: Command) -> None:
    ran = papers("classify", "--title", "quantum star")
    assert ran.out.startswith("Physics (ok)\n\n  0.9")
    assert len(ran.out.splitlines()) == 2 + 3


def test_one_paper_is_printed_as_json(papers: Command, artefacts: Path) -> None:
    answer = json.loads(papers("classify", "--abstract", "a proof", "--format", "jsonl").out)
    scores = Store(artefacts).open().classifier().scores([Paper("", "a proof")])[0]
    assert answer["labels"] == ["Mathematics"]
    assert [answer[name] for name in LABELS] == pytest.approx(scores, abs=1e-6)


def test_one_paper_without_text_is_refused(papers: Command) -> None:
    ran = papers("classify", "--title", " ")
    assert (ran.status, ran.out) == (1, "")
    assert "neither a title nor an abstract" in ran.err


def test_a_csv_keeps_its_columns_and_gets_labels_and_probabilities(papers: Command, tmp_path: Path) -> None:
    ran = papers("classify", write_csv(tmp_path / "in.csv", ROWS), "-o", tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert ran.status == 0
    assert list(rows[0]) == ["ID", "TITLE", "ABSTRACT", *ADDED]
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert [row["labels"] for row in rows] == ["Physics", "Mathematics", "Computer Science"]
    assert "3 papers labelled" in ran.err
    assert not (tmp_path / "out.csv.errors.jsonl").exists()


def test_several_labels_are_joined_in_csv_and_a_list_in_json(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"title": "quantum algorithm"}])
    papers("classify", source, "-o", tmp_path / "out.csv")
    papers("classify", source, "-o", tmp_path / "out.jsonl")
    names = read_lines(tmp_path / "out.jsonl")[0]["labels"]
    assert sorted(names) == ["Computer Science", "Physics"]
    assert read_csv(tmp_path / "out.csv")[0]["labels"] == "; ".join(names)


def test_every_row_names_its_model(papers: Command, artefacts: Path, tmp_path: Path) -> None:
    papers("classify", write_csv(tmp_path / "in.csv", ROWS), "-o", tmp_path / "out.csv")
    sha256 = Store(artefacts).open().sha256
    assert {row["model"] for row in read_csv(tmp_path / "out.csv")} == {f"tiny-subjects 1.0.0 {sha256[:12]}"}


def test_a_label_named_like_an_added_column_keeps_its_probability() -> None:
    added = AddedColumns(Labels(("model", "data"), (None, None)), "tiny 1.0.0").cells(
        Prediction(["data"], "ok", [0.2, 0.9])
    )
    assert added == {
        "labels": ["data"], "status": "ok", "model probability": 0.2, "data": 0.9, "model": "tiny 1.0.0",
    }  # fmt: skip


def test_papers_that_a_person_should_check_are_counted(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [*ROWS, {"ID": "4", "TITLE": "the and of"}])
    said = papers("classify", source, "-o", tmp_path / "out.csv").err.splitlines()
    assert said[0] == "reading titles from 'TITLE', abstracts from 'ABSTRACT'"
    assert said[1].startswith("4 papers labelled")
    assert said[2:] == [
        "of them, 1 uncertain: a person should check",
        "of them, 2 by the title alone: without an abstract, or with a word in its place",
    ]
    assert papers("classify", "--title", "the and of").out.startswith("no label (uncertain: a person should check)\n\n")


@pytest.mark.parametrize("target", ["out.csv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("source", ["in.csv", "in.jsonl", "in.jsonl.gz", "in.parquet"])
def test_every_format_becomes_every_other(papers: Command, tmp_path: Path, source: str, target: str) -> None:
    assert papers("classify", _written(tmp_path / source), "-o", tmp_path / target).status == 0
    rows = _read(tmp_path / target)
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert [float(row["Physics"]) > 0.9 for row in rows] == [True, False, False]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_dialects_of_spreadsheets_are_read(papers: Command, tmp_path: Path, delimiter: str, encoding: str) -> None:
    lines = ("Schlüssel;title;abstract", '1;"a star; a ""particle"" é";"two', 'lines"', "2;proof;")
    content = "\r\n".join(lines).replace(";", delimiter)
    (tmp_path / "in.csv").write_bytes(content.encode(encoding))
    named = ["--encoding", "cp1252"] if encoding == "cp1252" else []
    ran = papers("classify", tmp_path / "in.csv", "-o", tmp_path / "out.csv", *named, on_terminal=True)
    rows = read_csv(tmp_path / "out.csv", delimiter)
    assert ran.status == 0
    assert (rows[0]["Schlüssel"], rows[0]["abstract"]) == ("1", "two\r\nlines")
    assert rows[0]["title"] == f'a star{delimiter} a "particle" é'
    assert [row["labels"] for row in rows] == ["Physics", "Mathematics"]


def test_a_wrong_encoding_is_reported_with_the_option_that_names_it(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("Schlüssel,title\n1,a star\n".encode("cp1252"))
    ran = papers("classify", tmp_path / "in.csv")
    assert (ran.status, "the names of its columns are not UTF-8" in ran.err) == (2, True)
    for name in ("cp125x", "undefined"):
        ran = papers("classify", tmp_path / "in.csv", "--encoding", name)
        assert (ran.status, f"--encoding is {name!r}, expected one" in ran.err) == (2, True)


def test_an_empty_file_is_said_to_have_no_rows(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"\n")
    ran = papers("classify", tmp_path / "in.csv")
    assert (ran.status, ran.err) == (2, f"papers classify: {tmp_path / 'in.csv'} has no rows\n")


def test_values_of_json_lines_stay_what_they_are(papers: Command, tmp_path: Path) -> None:
    rows = [{"title": "star", "year": 1999, "tags": ["a", {"b": None}]}, {"title": "proof", "extra": True}]
    source = write_lines(tmp_path / "in.jsonl", rows)
    papers("classify", source, "-o", tmp_path / "out.jsonl")
    labelled = read_lines(tmp_path / "out.jsonl")
    assert [{name: row[name] for name in row if name not in ADDED} for row in labelled] == rows
    assert papers("classify", source, "-o", tmp_path / "out.csv").status == 0
    labelled_csv = read_csv(tmp_path / "out.csv")
    assert labelled_csv[0]["tags"] == '["a", {"b": null}]'
    assert [row["extra"] for row in labelled_csv] == ["", "true"]
    ran = papers("classify", "--format", "jsonl", "-o", tmp_path / "piped.csv", stdin=source)
    assert ran.status == 1
    assert "'extra' that the first row has not" in (tmp_path / "piped.csv.errors.jsonl").read_text()


def test_standard_input_goes_to_standard_output(papers: Command, tmp_path: Path) -> None:
    ran = papers("classify", "--format", "jsonl", stdin=write_lines(tmp_path / "a", ROWS))
    assert [json.loads(line)["labels"] for line in ran.out.splitlines()][1] == ["Mathematics"]
    ran = papers("classify", "-", "--format", "csv", stdin=write_csv(tmp_path / "b", ROWS))
    assert ran.out.splitlines()[0].endswith("ABSTRACT,labels,status,Computer Science,Physics,Mathematics,model")


def test_bad_rows_are_kept_apart_with_their_numbers_and_without_their_text(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(
        b'id,title,abstract\n1,star,\n2,secret,x,y\n3,secre"t"\xff,\n4,"secret"x,\n5, ,\n6,proof,\n7,"secret'
    )
    ran = papers("classify", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    faults = read_lines(tmp_path / "out.csv.errors.jsonl")
    assert ran.status == 1
    assert [row["id"] for row in read_csv(tmp_path / "out.csv")] == ["1", "6"]
    assert [fault["row"] for fault in faults] == [2, 3, 4, 5, 7]
    assert faults[0] == {"row": 2, "reason": "has 4 cells, the header 3", "line": 3}
    assert faults[1]["reason"] == "column 'title' holds bytes that are not UTF-8"
    assert "5 left out, see" in ran.err
    assert "secret" not in (tmp_path / "out.csv.errors.jsonl").read_text() + ran.err


def test_a_bad_json_line_affects_no_other(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"title": "star"}\n{"tit\n[]\n{"title": 5}\n{"title": null}\n{"title": "proof"}\n'
    )
    ran = papers("classify", tmp_path / "in.jsonl", "--threads", 1)
    assert [json.loads(line)["title"] for line in ran.out.splitlines()] == ["star", "proof"]
    rejected = [line for line in ran.err.splitlines() if line.startswith("row ")]
    assert [line.partition(":")[0] for line in rejected] == ["row 2", "row 3", "row 4", "row 5"]
    assert "row 4: the title is a int, expected text" in ran.err


def test_a_late_row_with_a_column_of_an_added_name_is_bad_and_not_overwritten(papers: Command, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"title": "star"}, {"title": "star", "labels": None}])
    ran = papers("classify", "--format", "jsonl", stdin=source)
    assert (ran.status, len(ran.out.splitlines())) == (1, 1)
    assert "row 2: has a column with the name of an added one" in ran.err


def test_columns_are_found_in_any_case_or_named(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"Name": "a star", "Text": "", " Title ": "a proof"}])
    assert "Mathematics" in papers("classify", source).out.splitlines()[1]
    named = papers("classify", source, "--title-column", "Name", "--abstract-column", "Text")
    assert "Physics" in named.out.splitlines()[1]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["in.csv", "--title-column", "Name"], "no column 'Name'; there are 'a', 'b'. Name them with --title-column"),
        (["in.csv"], "no column 'title' or 'abstract'"),
        (["labelled.csv"], "the input already has a column 'Physics'; rename the new ones, e.g. --prefix"),
        (["in.docx"], "unknown format; expected a name that ends in .csv"),
        (["nowhere.csv"], "nowhere.csv cannot be read"),
        (["in.csv", "-o", "in.csv", "--force"], "is the input"),
        (["in.csv", "-o", "labelled.csv"], "already exists; continue it with --resume, or replace it with --force"),
        (["in.csv", "-o", "out.csv.gz"], "compressed output"),
        (["in.csv", "-o", "out.parquet", "--resume"], "parquet cannot be appended to"),
        (["in.csv", "--format", "parquet"], "name a file with --output"),
        (["in.csv", "--title", "a star"], "for one paper, without INPUT"),
        (["in.csv", "--threads", "0"], "--threads is 0, expected at least 1"),
        (["good.csv", "-o", "no/such/folder/out.csv"], "No such file or directory"),
        (["good.csv", "--url", "nowhere"], "URL is 'nowhere', expected one like http://"),
        (["good.csv", "--artefact-version", "9.9.9"], "no artefact of version '9.9.9'"),
        ([], "nothing to label"),
    ],
)
def test_an_error_is_reported_and_nothing_is_written(
    papers: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "in.csv", [{"a": "1", "b": "2"}])
    write_csv(tmp_path / "good.csv", ROWS)
    write_csv(tmp_path / "labelled.csv", [{"title": "star", "Physics": "1"}])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    ran = papers("classify", *args)
    assert ran.status == 2
    assert said in ran.err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_standard_input_needs_a_format(papers: Command, tmp_path: Path) -> None:
    assert "use --format csv or jsonl" in papers("classify", stdin=write_csv(tmp_path / "in", ROWS)).err


def test_a_prefix_keeps_the_new_columns_apart(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"title": "a star", "Physics": "1"}])
    header = papers("classify", source, "--prefix", "predicted_").out.splitlines()[0]
    assert header.startswith("title,Physics,predicted_labels,predicted_status,predicted_Computer Science")


def test_force_replaces_the_output_and_its_rejected_rows(papers: Command, tmp_path: Path) -> None:
    bad = write_csv(tmp_path / "bad.csv", [*ROWS, {"ID": "4"}])
    good = write_csv(tmp_path / "good.csv", ROWS)
    assert papers("classify", bad, "-o", tmp_path / "out.csv").status == 1
    assert papers("classify", good, "-o", tmp_path / "out.csv", "--force").status == 0
    assert len(read_csv(tmp_path / "out.csv")) == 3
    assert not (tmp_path / "out.csv.errors.jsonl").exists()


def test_progress_is_shown_on_a_terminal_only(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    assert "\r" in papers("classify", source, on_terminal=True).err
    assert papers("classify", source).err == "reading titles from 'TITLE', abstracts from 'ABSTRACT'\n"


def test_a_closed_pipe_is_not_an_error(artefacts: Path, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"title": "star", "abstract": "x " * 250}] * 2000)
    program = f"{sys.executable} -m cli classify {source} --artefacts {artefacts} | head -n 1"
    ran = subprocess.run(program, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S602
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr == "reading titles from 'title', abstracts from 'abstract'\n"


def _written(path: Path) -> Path:
    if path.suffix == ".csv":
        return write_csv(path, ROWS)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
        return path
    lines = write_lines(path, ROWS).read_bytes()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        return list(read_csv(path))
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return rows
    return read_lines(path)
