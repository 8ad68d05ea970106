"""`papers classify` over tables as people have them: columns are found and told, dialects kept."""

import json
import os
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.command import ADDED, ROWS, Command, read_csv, read_lines, write_csv, write_lines
from tests.tables.cases import FORMATS, workbook
from tests.tables.refused import REFUSED
from tests.tables.sources import SOURCES


@pytest.mark.parametrize("source", [name for name, (_, _, abstract) in SOURCES.items() if abstract])
def test_both_columns_of_every_source_are_read(papers: Command, tmp_path: Path, source: str) -> None:
    header, title, abstract = SOURCES[source]
    texts = {str(title): "a star", str(abstract): "a proof"}
    row = dict.fromkeys(header.split(","), "compiler") | texts
    ran = papers("classify", write_csv(tmp_path / "in.csv", [row]), "-o", tmp_path / "out.csv")
    assert ran.status == 0
    assert ran.err.startswith(f"reading titles from '{title}', abstracts from '{abstract}'\n")
    assert "WARNING" not in ran.err
    assert set(read_csv(tmp_path / "out.csv")[0]["labels"].split("; ")) <= {"Physics", "Mathematics"}


@pytest.mark.parametrize("words", FORMATS)
def test_every_format_is_labelled(papers: Command, tmp_path: Path, words: str) -> None:
    source = FORMATS[words].write(tmp_path)
    ran = papers("classify", source, "-o", tmp_path / "out.csv")
    assert "2 papers labelled" in ran.err, ran.err
    rows = read_csv(tmp_path / "out.csv", "\t" if "\t" in (tmp_path / "out.csv").read_text() else ",")
    assert [row["title" if "title" in row else "Title"] for row in rows][1] == "Second title"


@pytest.mark.parametrize("words", REFUSED)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(papers: Command, tmp_path: Path, words: str) -> None:
    case, sentence = REFUSED[words]
    path = tmp_path / case.name if words == "a file that is not there" else case.write(tmp_path)
    ran = papers("classify", path, "-o", tmp_path / "out.jsonl", "--title-column", "title")
    assert ran.status == 2
    assert sentence in ran.err.splitlines()[-1]
    assert not (tmp_path / "out.jsonl.errors.jsonl").exists()


def test_one_column_alone_is_warned_of_at_the_beginning_and_at_the_end(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"Title": "a star", "Text of it": "a proof"}])
    ran = papers("classify", source, "-o", tmp_path / "out.csv")
    warned = [line for line in ran.err.splitlines() if line.startswith("WARNING: no column of abstracts was found")]
    assert len(warned) == 2
    assert ran.err.splitlines()[-1] == warned[0]
    for said in (["--no-abstract"], ["--abstract-column", "Text of it"]):
        assert "WARNING" not in papers("classify", source, "-o", tmp_path / "out.csv", "--force", *said).err


def test_a_column_that_is_said_to_be_absent_is_not_read(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"title": "a star", "abstract": "a proof"}])
    papers("classify", source, "-o", tmp_path / "out.csv", "--no-title")
    assert read_csv(tmp_path / "out.csv")[0]["labels"] == "Mathematics"


def test_likely_columns_are_named_where_none_is_known(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"Nr": "1", "Paper name": "a star", "Text": "a proof"}])
    ran = papers("classify", source)
    assert ran.status == 2
    assert "perhaps --title-column 'Paper name' --abstract-column 'Text'" in ran.err


def test_a_key_that_only_later_rows_have_is_found(papers: Command, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"title": "a star"}, {"title": "x", "abstract": "a proof"}])
    ran = papers("classify", source)
    assert "WARNING" not in ran.err
    assert [json.loads(line)["labels"] for line in ran.out.splitlines()] == [["Physics"], ["Mathematics"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_output_has_the_delimiter_that_was_read(papers: Command, tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "in.csv").write_text(f"title{delimiter}abstract\na star{delimiter}a particle\n")
    papers("classify", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().startswith(f"title{delimiter}abstract{delimiter}labels{delimiter}")


def test_a_german_spreadsheet_gets_semicolons_and_decimal_commas(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("Titel;Zusammenfassung;Übersicht\r\na star;a particle;ja\r\n".encode("cp1252"))
    papers(
        "classify", tmp_path / "in.csv", "--encoding", "cp1252", "-o", tmp_path / "out.csv", "--bom", "--decimal", ","
    )
    assert (tmp_path / "out.csv").read_bytes().startswith("\ufeffTitel;Zusammenfassung;Übersicht;labels".encode())
    row = read_csv(tmp_path / "out.csv", ";")[0]
    assert row["Physics"].startswith("0,9")


@pytest.mark.parametrize(("name", "option"), [("out.tsv", []), ("out.csv", ["--delimiter", "tab"])])
def test_a_delimiter_may_be_chosen(papers: Command, tmp_path: Path, name: str, option: list[str]) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    papers("classify", source, "-o", tmp_path / name, *option)
    assert [row["ID"] for row in read_csv(tmp_path / name, "\t")] == ["1", "2", "3"]
    assert papers("classify", source, "-o", tmp_path / name, "--resume", *option).status == 0
    assert "--delimiter is 'ab', expected one character" in papers("classify", source, "--delimiter", "ab").err


def test_a_delimiter_that_is_not_detected_may_be_named(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.dat").write_text("title:abstract\na, star:a; particle\n")
    ran = papers("classify", tmp_path / "in.dat", "--format", "csv", "--input-delimiter", ":")
    assert ran.out.splitlines()[1].startswith('"a, star",a; particle,Physics')


def test_no_cell_of_a_csv_is_a_formula(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"title": "a star", "note": "=cmd", "n": "-5", "@x": "\u200b+SUM(A1)"}])
    papers("classify", source, "-o", tmp_path / "out.csv")
    row = read_csv(tmp_path / "out.csv")[0]
    assert (row["note"], row["n"], row["'@x"]) == ("'=cmd", "-5", "'\u200b+SUM(A1)")
    papers("classify", source, "-o", tmp_path / "out.jsonl")
    assert read_lines(tmp_path / "out.jsonl")[0]["note"] == "=cmd"


def test_a_lone_carriage_return_tears_no_row_and_is_resumed(papers: Command, tmp_path: Path) -> None:
    rows = [{"title": "a star", "note": "seen\rtwice"}, {"title": "a proof", "note": "fine"}]
    source, target = write_lines(tmp_path / "in.jsonl", rows), tmp_path / "out.csv"
    papers("classify", source, "-o", target)
    whole = target.read_bytes()
    assert [row["note"] for row in read_csv(target)] == ["seen\rtwice", "fine"]
    target.write_bytes(whole[:-3])
    assert papers("classify", source, "-o", target, "--resume").status == 0
    assert target.read_bytes() == whole


def test_nan_and_infinity_are_never_written_to_json(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"title": "a star", "abstract": NaN, "n": Infinity, "big": 1e999}\n')
    ran = papers("classify", tmp_path / "in.jsonl")
    cells = json.loads(ran.out, parse_constant=pytest.fail)
    assert (cells["abstract"], cells["n"], cells["big"]) == (None, None, None)


def test_short_rows_and_unnamed_columns_lose_no_paper(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,title,abstract,doi,,\n1,a star\n2,a proof,,,\n3,compiler,,,,kept\n")
    ran = papers("classify", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert (ran.status, "3 papers labelled" in ran.err) == (0, True)
    rows = read_csv(tmp_path / "out.csv")
    assert list(rows[0]) == ["id", "title", "abstract", "doi", "column 5", "column 6", *ADDED]
    assert rows[2]["column 6"] == "kept"


def test_an_unclosed_quotation_mark_is_counted_and_costs_one_row(papers: Command, tmp_path: Path) -> None:
    rows = "".join(f"{i},title {i},a star\n" for i in range(2, 41))
    (tmp_path / "in.csv").write_text(f'id,title,abstract\n1,x,"torn”\n{rows}41,last,"a proof"\n')
    ran = papers("classify", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert "40 papers labelled" in ran.err
    assert "1 left out" in ran.err
    (fault,) = read_lines(tmp_path / "out.csv.errors.jsonl")
    assert (fault["row"], fault["line"]) == (1, 2)
    assert "never closed, up to line 42" in fault["reason"]


@pytest.mark.parametrize("piped", [False, True])
def test_a_file_without_a_readable_row_is_refused_with_the_reason(papers: Command, tmp_path: Path, piped: bool) -> None:
    (tmp_path / "in.ris").write_bytes("TY  - JOUR\nTI  - Flüsse\nER  - \n".encode("cp1252"))
    source = tmp_path / "in.ris"
    ran = papers("classify", "--format", "ris", stdin=source) if piped else papers("classify", source)
    assert ran.status == 2
    assert "no row of the input can be read; row 1, column 'title': holds bytes that are not UTF-8" in ran.err


def test_a_bad_first_row_of_a_stream_hides_no_columns(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in").write_text('{"tit\n{"title": "a star", "abstract": "a particle"}\n')
    ran = papers("classify", "--format", "jsonl", stdin=tmp_path / "in")
    assert (ran.status, len(ran.out.splitlines())) == (1, 1)
    assert "reading titles from 'title', abstracts from 'abstract'" in ran.err


def test_the_sheet_that_is_read_is_named_before_its_columns_are_refused(papers: Command, tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(workbook([["Notes"], ["x"]], [["Name", "Text"], ["a star", "a particle"]]))
    ran = papers("classify", tmp_path / "in.xlsx")
    assert ran.status == 2
    assert ran.err.startswith("reading the sheet 'Sheet'\n")


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_pipe_with_a_name_is_read_once(papers: Command, tmp_path: Path, on_terminal: bool) -> None:
    pipe = tmp_path / "in.jsonl"
    os.mkfifo(pipe)
    lines = '{"title": "a star", "abstract": "a particle"}\n' * 2000  # more than one read
    writing = Thread(target=pipe.write_text, args=(lines,), daemon=True)
    writing.start()
    ran = papers("classify", pipe, on_terminal=on_terminal)
    writing.join(10)
    assert (ran.status, len(ran.out.splitlines())) == (0, 2000)
