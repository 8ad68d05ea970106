"""Reading tables of every kind that docs/tables.md lists."""

import re
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tables import BadRow, Options, Row, TableError, open_table, read, scan
from tables.known_columns import cell_text, find_column, likely_columns
from tables.text import LONGEST_LINE
from tests.tables.cases import ABSTRACT, COLUMNS, DIALECTS, FORMATS, ROWS, TITLE
from tests.tables.refused import REFUSED
from tests.tables.sources import SOURCES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()
READ = FORMATS | DIALECTS
LIST_OF_TIMES = pyarrow.list_(pyarrow.timestamp("ns"))


@pytest.mark.parametrize("words", READ)
def test_every_kind_of_table_is_read(tmp_path: Path, words: str) -> None:
    case = READ[words]
    rows = list(scan(case.write(tmp_path), case.options))
    cells = [tuple(row.cells.get(column) or "" for column in case.columns) for row in rows if isinstance(row, Row)]
    assert cells == list(case.rows)
    assert [row.number for row in rows if isinstance(row, BadRow)] == list(case.bad)


@pytest.mark.parametrize("words", REFUSED)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path: Path, words: str) -> None:
    case, sentence = REFUSED[words]
    path = tmp_path / case.name if words == "a file that is not there" else case.write(tmp_path)
    with pytest.raises(TableError) as caught:
        list(scan(path, case.options))
    assert sentence in str(caught.value)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
def test_the_columns_of_every_source_are_found(source: str) -> None:
    header, title, abstract = SOURCES[source]
    columns = header.split(",")
    assert (find_column(columns, "title"), find_column(columns, "abstract")) == (title, abstract)


@pytest.mark.parametrize(
    ("heading", "cases"),
    [("Formats", FORMATS), ("Dialects", DIALECTS), ("Refused", REFUSED), ("Columns", SOURCES)],
)
def test_each_row_of_the_documented_tables_has_its_case(heading: str, cases: dict[str, object]) -> None:
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)[1:]
    assert first_cells == list(cases)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"TITLE,ABSTRACT\nfine,fine\ncaf\xe9,b\n", r"row 2, column 'TITLE': holds bytes that are not UTF-8"),
        ("a.csv", b"TITLE,ABSTRACT\na,b,c\n", "row 1: has 3 cells, the header 2"),
        ("a.csv", b'TITLE,ABSTRACT\n"a\nb",c\nd,"e\n\n', "row 2: a quotation mark is never closed, up to line 5"),
        ("a.csv", b"caf\xe9,b\n1,2\n", "the names of its columns are not UTF-8; save it as that, or name"),
        ("a.csv", "a\tb\n".encode("utf-16") + b"x", "ends within a character"),
        ("a.csv", b"TITLE,ABSTRACT\n", "has no rows"),
        ("a.csv", b"", "has no rows"),
        ("a.csv", b"TITLE,TITLE\na,b\n", "TITLE"),
        ("a.csv", b'TITLE,"ABSTRACT\na,b\n', "line 1: a quotation mark is never closed"),
        ("a.jsonl", b'{"title": "a"}\n{"title"', r"row 2: is not JSON: .* \(line 2\)"),
        ("a.jsonl", b"[1]\n", "row 1: is a JSON list"),
        ("a.jsonl", b'{"title": "\xff"}\n', "row 1, column 'title'"),
        ("a.json", b'[{"title": "a"}, 5]', "row 2: is a JSON int, expected an object"),
        ("a.json", b'[{"title": "a"}] {}', "is not JSON after row 1: more follows after its end"),
        ("a.ris", b"TY  - JOUR\nTI  - caf\xe9\nER  -\n", r"row 1, column 'title': holds bytes"),
        ("a.ris", b"id,title\n1,x\n", "holds no records of RIS"),
        ("a.ris", b"TY  - JOUR\nTI  - a\nER  -\nTI  - lost\nER  -\n", r"row 2: has no line with the tag TY .*line 4"),
        ("a.bib", b"@misc{a, title={x}}\n@misc{b, title={x\n", r"row 2: is not a complete BibTeX entry; .*\(line 2\)"),
        ("a.parquet", b"PAR1 but no more", "cannot be read"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said) as caught:
        list(read(tmp_path / name))
    assert name in str(caught.value)


def test_an_unclosed_quotation_mark_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = "".join(f"{i},title {i},words about rivers\n" for i in range(2, 41))
    broken = f'id,title,abstract\n1,first,"We begin”\n{rows}41,last,"with a quotation mark"\n'
    read_rows = list(scan(_written(tmp_path / "a.csv", broken)))
    assert len(read_rows) == 41
    assert str(read_rows[0]) == (
        "row 1: a quotation mark is never closed, up to line 42; the lines after this one are read without it (line 2)"
    )
    assert [row.cells["id"] for row in read_rows[1:] if isinstance(row, Row)] == [str(i) for i in range(2, 42)]


def test_parts_of_a_broken_cell_are_not_read_as_papers(tmp_path: Path) -> None:
    broken = 'id,title,abstract\n1,first,"We say "yes"\nand more\n"\n2,second,whole\n'
    rows = list(scan(_written(tmp_path / "a.csv", broken)))
    assert [row.cells["id"] for row in rows if isinstance(row, Row)] == ["2"]
    assert all(row.line in (2, 3, 4) for row in rows if isinstance(row, BadRow))


def test_maths_in_tex_survives_backslash_escapes(tmp_path: Path) -> None:
    content = 'id,title,abstract\n1,"\\"deep\\" $\\alpha$",x\\, y\n2,"C:\\\\",z\n'
    rows = list(read(_written(tmp_path / "a.csv", content)))
    assert [tuple(row.cells.values()) for row in rows] == [("1", '"deep" $\\alpha$', "x, y"), ("2", "C:\\", "z")]


def test_tex_in_ordinary_csv_is_left_alone(tmp_path: Path) -> None:
    content = 'id,title,abstract\n1,"the \\""{o} of $\\alpha, \\beta$","ends in \\"\n2,a,b\\\n'
    rows = list(read(_written(tmp_path / "a.csv", content)))
    assert [tuple(row.cells.values()) for row in rows] == [
        ("1", 'the \\"{o} of $\\alpha, \\beta$', "ends in \\"), ("2", "a", "b\\"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_a_line_of_any_length_costs_bounded_memory(tmp_path: Path, name: str) -> None:
    long = "x" * (LONGEST_LINE + 5)
    lines = [f'{{"title": "{title}"}}' for title in ("one", long, "two")]
    content = "\n".join(["title,b", "one,", long, "two,"] if name == "a.csv" else lines)
    rows = list(scan(_written(tmp_path / name, content + "\n")))
    assert [row.cells["title"] for row in rows if isinstance(row, Row)] == ["one", "two"]
    assert [row.reason for row in rows if isinstance(row, BadRow)] == ["is longer than 16,777,216 characters"]


def test_a_workbook_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/x", "w") as part:
        for _ in range(210):
            part.write(bytes(1_000_000))
    with pytest.raises(TableError, match=r"unpacks to 0\.2 GB"):
        open_table(tmp_path / "a.xlsx")


def test_a_record_of_endless_lines_is_a_bad_row(tmp_path: Path) -> None:
    endless = "TY  - JOUR\nAB  - " + ("x" * 999 + "\n") * 17_000 + "ER  - \nTY  - JOUR\nTI  - one\nER  - \n"
    bad, good = scan(_written(tmp_path / "a.ris", endless))
    assert "is longer than 16,777,216 characters" in str(bad)
    assert isinstance(good, Row)


def test_bytes_that_are_no_text_stay_bytes(tmp_path: Path) -> None:
    table = pyarrow.table({"title": pyarrow.array([b"star", b"\xff\xfe"], pyarrow.binary())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert [row.cells["title"] for row in read(tmp_path / "a.parquet")] == ["star", b"\xff\xfe"]


def test_a_broken_entry_of_bibtex_harms_no_other(tmp_path: Path) -> None:
    content = "@misc{a, title={one}}\n@misc{b, title={torn, abstract={x}\n@misc{a, title={three}, title={again}}\n"
    rows = list(scan(_written(tmp_path / "a.bib", content)))
    assert [row.cells["title"] for row in rows if isinstance(row, Row)] == ["one", "three"]
    assert [row.number for row in rows if isinstance(row, BadRow)] == [2]


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"{Deep} {L}earning of $x_{\max}$ and na{\"\i}ve caf\'e", r"Deep Learning of $x_{\max}$ and naïve café"),
        (r"50% of \emph{all} words, 5\% \& more\_", "50% of all words, 5% & more_"),
        (r"a \textless{} b {\textendash} 5\textdegree C {\it E. coli} \textit{x}", "a < b – 5°C E. coli x"),
        (r"\${\textbackslash}alpha {\textless} 1\$ \& \{x\}{\textbackslash}", "$\\alpha < 1$ & {x}\\"),
        (r"\v{S}koda, \c c, stra{\ss}e, {\O}re, \L{}\'od\'z", "Škoda, ç, straße, Øre, Łódź"),
    ],
)
def test_tex_of_bibtex_becomes_text(tmp_path: Path, tex: str, text: str) -> None:
    (row,) = read(_written(tmp_path / "a.bib", f"@misc{{a, title={{{tex}}}}}\n"))
    assert row.cells["title"] == text


def test_entries_of_bibtex_may_share_a_line_and_be_commented_out(tmp_path: Path) -> None:
    content = "@misc{a, title={one}} @misc{b, title={two}}\n% @misc{c,\n%  title={no}}\n@misc{d, title={three}}\n"
    assert [row.cells["title"] for row in read(_written(tmp_path / "a.bib", content))] == ["one", "two", "three"]


def test_times_that_python_does_not_have_are_text(tmp_path: Path) -> None:
    days = pyarrow.array([10_000_000, 0], pyarrow.date32())
    table = pyarrow.table({"title": ["far", "near"], "day": days, "times": pyarrow.array([[1], None], LIST_OF_TIMES)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert [tuple(row.cells.values()) for row in read(tmp_path / "a.parquet")] == [
        ("far", "29349-01-26", ["1970-01-01 00:00:00.000000001"]), ("near", "1970-01-01", None),
    ]  # fmt: skip


def test_line_breaks_in_quoted_cells_between_tabs_are_kept_where_the_header_is_quoted(tmp_path: Path) -> None:
    (row,) = read(_written(tmp_path / "a.tsv", '"id"\t"title"\t"abstract"\n"1"\t"\t;\n\t"\t""\n'))
    assert tuple(row.cells.values()) == ("1", "\t;\n\t", "")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_other_scripts_is_known_without_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("题名,摘要\n量子物理,研究\n".encode(encoding))
    assert [row.cells for row in read(tmp_path / "a.csv")] == [{"题名": "量子物理", "摘要": "研究"}]


def test_the_dialect_and_notes_about_reading_are_returned(tmp_path: Path) -> None:
    table = open_table(_written(tmp_path / "a.csv", "sep=;\ntitle;abstract\na;b\n"))
    assert (table.format, table.columns) == ("csv", ["title", "abstract"])
    assert table.dialect is not None
    assert table.dialect.delimiter == ";"
    assert table.notes == ["the names of the columns are on line 2"]
    workbook = FORMATS["`.xlsx`, the table on a later sheet"].write(tmp_path)
    assert open_table(workbook).notes == ["reading the sheet 'Sheet1'"]


def test_a_delimiter_may_be_named(tmp_path: Path) -> None:
    (row,) = read(_written(tmp_path / "a.csv", "title:abstract\na, b;c:d\n"), Options(delimiter=":"))
    assert row.cells == {"title": "a, b;c", "abstract": "d"}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""), ("a star", "a star"), (["A title", "in parts"], "A title in parts"), (5, None), ({}, None),
        ({"stars": [1], "We": [0], "see": [2, 3]}, "We stars see see"), (b"\xff", None),
        ({"stars": [1], "We": [0], "rivers": None}, "We stars"), ([("stars", [1]), ("We", [0])], "We stars"),
        ('{"stars": [1], "We": [0], "caf\\u00e9": [2]}', "We stars café"), ("{'stars': [1], \"We\": [0]}", "We stars"),
        ("{'stars': [1", "{'stars': [1"), ('{"a": 5} is text', '{"a": 5} is text'), ([("a", 5)], None),
    ],
)  # fmt: skip
def test_cells_of_databases_become_texts(cell: object, text: str | None) -> None:
    assert cell_text(cell) == text


def test_likely_columns_have_similar_names() -> None:
    columns = ["Paper name", "Text of it", "Year"]
    assert likely_columns(columns, "title") == ["Paper name"]
    assert likely_columns(columns, "abstract") == ["Text of it"]


def test_rows_have_the_line_at_which_they_begin(tmp_path: Path) -> None:
    rows = list(read(FORMATS["`.csv`"].write(tmp_path)))
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 4)]
    assert rows[0].cells == dict(zip(COLUMNS, ROWS[0], strict=True))
    assert ROWS[0][1:] == (TITLE, ABSTRACT)


def _written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path
