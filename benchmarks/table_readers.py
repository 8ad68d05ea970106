"""Readers of tables side by side: which of the test cases they read correctly, and memory and time for a million rows.

    python -m benchmarks.table_readers [--rows 1000000]

Readers that are not installed are named. The cases are those of tests/tables/cases.py, which docs/tables.md lists.
"""

import argparse
import csv
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tables import Row, scan

Record = Mapping[str, object]
Read = Callable[[Path, str], Iterable[Record]]


class Reader(NamedTuple):
    """A library, and how to read the rows of a file with it."""

    module: str
    read: Read
    endings: tuple[str, ...]
    """Of the cases that it is tried on."""


def _ours(path: Path, encoding: str) -> Iterator[Record]:
    from tables import Options

    return (row.cells for row in scan(path, Options(encoding=encoding)) if isinstance(row, Row))


def _stdlib(path: Path, encoding: str) -> Iterator[Record]:
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(65536)
        file.seek(0)
        yield from csv.DictReader(file, dialect=csv.Sniffer().sniff(sample))


def _clevercsv(path: Path, encoding: str) -> Iterator[Record]:
    import clevercsv

    # Detection on more than this takes minutes.
    yield from clevercsv.stream_dicts(path, encoding=encoding, num_chars=20_000)


def _duckdb(path: Path, encoding: str) -> Iterator[Record]:
    import duckdb

    query = f"SELECT * FROM read_csv('{path}', all_varchar=true, encoding='{encoding}')"  # noqa: S608
    yield from _batches(duckdb.connect().execute(query).to_arrow_reader(1024))


def _polars(path: Path, encoding: str) -> Iterator[Record]:
    import polars

    if encoding != "utf-8":
        yield from polars.read_csv(path, infer_schema=False, encoding=encoding).iter_rows(named=True)
        return
    for batch in polars.scan_csv(path, infer_schema=False).collect_batches(chunk_size=1024, maintain_order=True):
        yield from batch.iter_rows(named=True)


def _pyarrow(path: Path, encoding: str) -> Iterator[Record]:
    from pyarrow import csv as arrow

    options = arrow.ParseOptions(newlines_in_values=True)
    yield from _batches(arrow.open_csv(path, arrow.ReadOptions(encoding=encoding), options))


def _batches(batches: Iterable[Any]) -> Iterator[Record]:
    return chain.from_iterable(batch.to_pylist() for batch in batches)


def _openpyxl(path: Path, _: str) -> Iterator[Record]:
    import openpyxl

    return _with_header(openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True))


def _calamine(path: Path, _: str) -> Iterator[Record]:
    from python_calamine import CalamineWorkbook

    return _with_header(CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows())


def _with_header(rows: Iterator[Iterable[Any]]) -> Iterator[Record]:
    header = [str(name) for name in next(rows)]
    return (dict(zip(header, row, strict=False)) for row in rows)


def _rispy(path: Path, encoding: str) -> Iterator[Record]:
    import rispy

    with path.open(encoding=encoding) as file:
        records = rispy.load(file)
    for record in records:
        title, abstract = (
            record.get("title") or record.get("primary_title"), record.get("abstract") or record.get("notes_abstract")
        )  # fmt: skip
        yield {"title": title, "abstract": abstract}


def _nbib(path: Path, _: str) -> Iterator[Record]:
    import nbib

    return (record | {"pmid": record.get("pubmed_id")} for record in nbib.read_file(str(path)))


def _bibtexparser(path: Path, encoding: str) -> Iterator[Record]:
    from bibtexparser.entrypoint import parse_file
    from bibtexparser.middlewares import LatexDecodingMiddleware

    decoding = [LatexDecodingMiddleware()]
    for entry in parse_file(str(path), encoding=encoding, append_middleware=decoding).entries:
        yield {field.key.lower(): " ".join(field.value.split()) for field in entry.fields} | {"key": entry.key}


_TEXT = (".csv", ".tsv", ".tab", ".txt", ".gz")
READERS = {
    "tables": Reader("tables", _ours, (*_TEXT, ".xlsx", ".ris", ".nbib", ".bib", ".parquet")),
    "csv.Sniffer and DictReader": Reader("csv", _stdlib, _TEXT),
    "CleverCSV": Reader("clevercsv", _clevercsv, _TEXT),
    "DuckDB": Reader("duckdb", _duckdb, _TEXT),
    "Polars": Reader("polars", _polars, _TEXT),
    "PyArrow": Reader("pyarrow", _pyarrow, _TEXT),
    "openpyxl": Reader("openpyxl", _openpyxl, (".xlsx",)),
    "python-calamine": Reader("python_calamine", _calamine, (".xlsx",)),
    "rispy": Reader("rispy", _rispy, (".ris",)),
    "nbib": Reader("nbib", _nbib, (".nbib",)),
    "bibtexparser": Reader("bibtexparser", _bibtexparser, (".bib",)),
}


def is_right(reader: Reader, case: Any, folder: Path) -> bool:
    """Whether the reader finds the rows of the case; an exception counts as wrong."""
    path = case.write(folder)
    encoding = case.options.encoding if case.options else "utf-8"
    try:
        rows = list(reader.read(path, encoding))
        return [tuple(_text(row.get(name)) for name in case.columns) for row in rows] == list(case.rows)
    except Exception:  # whatever a library raises counts as wrong
        return False


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def measured(name: str, path: Path) -> dict[str, Any] | None:
    """Rows, peak memory and seconds of a reader in a process of its own; None if it fails."""
    command = [sys.executable, "-m", "benchmarks.table_readers", "--measure", name, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(ran.stdout) if ran.returncode == 0 else None


def write_million(folder: Path, rows: int) -> list[Path]:
    """The same papers as CSV and, a twentieth of them, as a workbook, RIS, NBIB and BibTeX."""
    text = "We measure how fast the rivers of a valley change. " * 6
    with (folder / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "title", "abstract"))
        writer.writerows((i, f"A study, number {i}", f"{i}: {text}\nand more") for i in range(rows))
    few = range(rows // 20)
    (folder / "m.ris").write_text("".join(f"TY  - JOUR\nTI  - Study {i}\nAB  - {text}\nER  - \n" for i in few))
    (folder / "m.nbib").write_text("".join(f"PMID- {i}\nTI  - Study {i}\nAB  - {text}\n\n" for i in few))
    (folder / "m.bib").write_text("".join(f"@misc{{k{i}, title={{Study {i}}}, abstract={{{text}}}}}\n" for i in few))
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["id", "title", "abstract"])
    for i in few:
        sheet.append([i, f"Study {i}", f"{i}: {text}"])
    book.save(folder / "m.xlsx")
    return sorted(folder.glob("m.*"))


def _measure(name: str, path: Path) -> None:
    began = time.perf_counter()
    rows = sum(1 for _ in READERS[name].read(path, "utf-8"))
    seconds = time.perf_counter() - began
    # Of this process alone: getrusage includes the process that started it.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"rows": rows, "mb": round(peak), "seconds": round(seconds, 1)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        _measure(options.measure[0], Path(options.measure[1]))
        return
    print("| reader | cases read correctly | file | rows | peak memory, MB | s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        files = write_million(Path(folder), options.rows)
        for name, reader in READERS.items():
            _compare(name, reader, files)


def _compare(name: str, reader: Reader, files: list[Path]) -> None:
    try:
        importlib.import_module(reader.module)
    except ImportError:
        print(f"| {name} | not installed | | | | |")
        return
    # Imported late, since its libraries would count as memory of the readers.
    from tests.tables.cases import DIALECTS, FORMATS

    cases = [case for case in (DIALECTS | FORMATS).values() if Path(case.name.lower()).suffix in reader.endings]
    with tempfile.TemporaryDirectory() as folder:
        right = sum(is_right(reader, case, Path(folder)) for case in cases)
    for file in files:
        if file.suffix in reader.endings:
            facts = measured(name, file) or {"rows": "fails", "mb": "", "seconds": ""}
            cells = (name, f"{right} of {len(cases)}", file.suffix, facts["rows"], facts["mb"], facts["seconds"])
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
