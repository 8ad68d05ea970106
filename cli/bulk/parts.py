"""Parts of tables: how they are read and labelled, and the files that are written for each."""

import json
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path

from cli.added_columns import AddedColumns
from cli.bulk.folder import Folder, local_copy
from cli.labellers import Labeller
from cli.labelling import Labelling
from cli.progress import Progress
from cli.rejected import RejectedRows
from cli.terminal import Terminal
from cli.text_columns import TextColumns
from tables import BadRow, Options, Row, TableError, open_table
from tables.earlier import Earlier
from tables.parquet_writer import ParquetWriter
from tables.writers import CsvStyle, CsvWriter, Writer, open_rows

DONE, REJECTED = "_done", "_rejected"


@dataclass(frozen=True)
class Source:
    """One table, its columns, and its number, which is in the names of its parts."""

    number: int
    address: str
    columns: list[str]


@dataclass(frozen=True)
class Part:
    """Some rows of a table, pickled; `error` is the message of the error that ended the table too early."""

    source: int
    number: int
    rows: bytes = b""
    error: str = ""

    @property
    def name(self) -> str:
        """The name of its files, without endings."""
        return f"part-{self.source:05}-{self.number:06}"


@dataclass(frozen=True)
class PartResult:
    """How many rows of a part were labelled and rejected."""

    labelled: int = 0
    bad: int = 0
    error: str = ""


def read_parts(source: Source, options: Options, rows_per_part: int, done: frozenset[str]) -> Iterator[Part]:
    """The parts of a table that are not done yet, in order; then an error, if one ended the table too early."""
    rows: list[Row | BadRow] = []
    number, error = 0, ""
    try:
        with local_copy(source.address) as path, open_table(path, options) as table:
            for row in table.rows:
                rows.append(row)
                if len(rows) == rows_per_part:
                    yield from _missing(source, number, rows, done)
                    number, rows = number + 1, []
    except TableError as broken:
        error = str(broken)
    if rows:
        yield from _missing(source, number, rows, done)
    if error:
        yield Part(source.number, number + 1, error=error)


def _missing(source: Source, number: int, rows: list[Row | BadRow], done: frozenset[str]) -> Iterator[Part]:
    part = Part(source.number, number, pickle.dumps(rows))
    if part.name not in done:
        yield part


@dataclass(frozen=True)
class PartLabeller:
    """Labels parts and writes their files."""

    labeller: Labeller
    sources: Sequence[Source]
    text_columns: TextColumns
    added: AddedColumns
    folder: Folder
    format: str
    style: CsvStyle

    def __call__(self, part: Part) -> PartResult:
        """Write the rows, the rejected ones, and last the marker of a complete part."""
        if part.error:
            return PartResult(error=part.error)
        # Pickled by `read_parts` in this run, and never read from a file.
        rows: list[Row | BadRow] = pickle.loads(part.rows)  # noqa: S301
        with tempfile.TemporaryDirectory() as temporary:
            made = Path(temporary) / f"{part.name}.{self.format}"
            rejected = RejectedRows(Path(temporary) / "rejected", Terminal(made, StringIO(), StringIO()))
            result = self._label(rows, self.sources[part.source].columns, made, rejected)
            self._keep(made, made.name)
            self._keep(Path(temporary) / "rejected", f"{REJECTED}/{part.name}.errors.jsonl")
        self.folder.write(f"{DONE}/{part.name}.json", json.dumps(asdict(result)).encode())
        return result

    def _label(self, rows: list[Row | BadRow], columns: list[str], made: Path, rejected: RejectedRows) -> PartResult:
        writer = self._writer(made)
        labelling = Labelling(self.labeller, 1, self.text_columns, self.added, writer, rejected)
        tally = labelling.run(rows, columns, Earlier(), Progress(StringIO()))
        writer.close(complete=True)
        rejected.close()
        return PartResult(tally.labelled, tally.bad)

    def _writer(self, path: Path) -> Writer:
        if self.format == "parquet":
            return ParquetWriter(path, self.added.types)
        return CsvWriter(lambda: open_rows(path), self.style)

    def _keep(self, made: Path, name: str) -> None:
        if made.exists():
            self.folder.write(name, made.read_bytes())
