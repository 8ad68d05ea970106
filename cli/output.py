"""The output and, beside it, the rejected rows. Decides which files may be written."""

import argparse
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from cli.added_columns import AddedColumns
from cli.errors import CliError
from cli.rejected import RejectedRows
from cli.terminal import Terminal
from tables import Table
from tables.earlier import Earlier, earlier_rows
from tables.parquet_writer import ParquetWriter
from tables.writers import CsvStyle, CsvWriter, JsonLinesWriter, Opened, Writer, open_rows

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# The format written to standard output unless --format is given, by the format of the input.
_ALIKE = {"json": "jsonl", "parquet": "jsonl"}
_OF_FORMAT = {"json": "jsonl", "jsonl": "jsonl", "parquet": "parquet"}
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}


@dataclass(frozen=True)
class Output:
    """The output, what an earlier run left in it, and the rejected rows."""

    writer: Writer
    rejected: RejectedRows
    earlier: Earlier
    moves: tuple[tuple[Path, Path], ...] = ()
    """New files, each with the older file that it replaces once it is complete."""

    def close(self, *, complete: bool) -> None:
        """Close all files; if they are complete, the new ones replace the older ones."""
        self.writer.close(complete=complete)
        self.rejected.close()
        for made, place in self.moves if complete else ():
            if made.exists():
                made.replace(place)
            elif made == self.rejected.path:
                place.unlink(missing_ok=True)


def parse_delimiter(text: str | None, option: str) -> str | None:
    """The character that an option gives, itself or by name, such as "tab"; raises CliError."""
    delimiter = None if text is None else _DELIMITERS.get(text.lower(), text)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise CliError(f"{option} is {text!r}, expected one character, or tab, comma, semicolon or bar")
    return delimiter


def output_format(args: argparse.Namespace, table: Table) -> str:
    """The format that is written: csv, jsonl or parquet; raises CliError."""
    if args.output is None:
        format_ = _OF_FORMAT.get(args.format, "csv") if args.format else _ALIKE.get(table.format, "csv")
        if format_ == "parquet":
            raise CliError("parquet cannot be written to standard output; name a file with --output")
        return format_
    path: Path = args.output
    if path.name.lower().endswith(".gz"):
        raise CliError(f"{path}: compressed output cannot be resumed, so it is not written; compress it afterwards")
    if path.suffix.lower() not in _FORMATS:
        raise CliError(f"{path}: unknown output format; expected a name that ends in {', '.join(_FORMATS)}")
    return _FORMATS[path.suffix.lower()]


def open_output(args: argparse.Namespace, terminal: Terminal, table: Table, added: AddedColumns) -> Output:
    """Open `--output`, or standard output; raises CliError rather than overwrite anything."""
    format_ = output_format(args, table)
    style = csv_style(args, table)
    if args.output is None:
        return Output(text_writer(format_, terminal, style), RejectedRows(None, terminal), Earlier())
    path: Path = args.output
    _refuse_unwritable(args, format_)
    beside = path.with_name(path.name + ".part")
    working = beside if _is_written_beside(args, path, beside) else path
    rejected = RejectedRows(_rejected_path(working), terminal, resume=args.resume)
    moves = ((working, path), (_rejected_path(working), _rejected_path(path))) if working != path else ()
    if format_ == "parquet":
        source = args.input if table.format == "parquet" else None
        return Output(ParquetWriter(path, added.types, source), rejected, Earlier(), moves[1:])
    if not args.resume:
        return Output(_file_writer(format_, working, style, None), rejected, Earlier(), moves)
    earlier = earlier_rows(working, format_, style.delimiter)
    return Output(_file_writer(format_, working, style, earlier), rejected, earlier, moves)


def _is_written_beside(args: argparse.Namespace, path: Path, beside: Path) -> bool:
    """Whether there is an older output, which is kept until the new one is complete."""
    if not args.resume:
        return path.exists()
    # A run with --force was interrupted: what it wrote is newer than the file that it was to replace.
    return beside.exists() and not (path.exists() and path.stat().st_mtime > beside.stat().st_mtime)


def csv_style(args: argparse.Namespace, table: Table | None = None) -> CsvStyle:
    """The dialect of the input, unless the options override it."""
    delimiter = parse_delimiter(args.delimiter, "--delimiter")
    if delimiter is None and args.output is not None and args.output.suffix.lower() in (".tsv", ".tab"):
        delimiter = "\t"
    if delimiter is None and table is not None and table.dialect is not None:
        # For a table of one column, the assumed delimiter may be a character that does not occur in any text.
        delimiter = table.dialect.delimiter if table.dialect.delimiter in ",;\t|" else ","
    return CsvStyle(delimiter or ",", args.decimal, args.bom)


def text_writer(format_: str, terminal: Terminal, style: CsvStyle) -> Writer:
    """A writer of csv or jsonl to standard output."""
    opened: Opened = lambda: nullcontext(terminal.out)  # noqa: E731
    return CsvWriter(opened, style) if format_ == "csv" else JsonLinesWriter(opened)


def _file_writer(format_: str, path: Path, style: CsvStyle, earlier: Earlier | None) -> Writer:
    opened: Opened = lambda: open_rows(path, earlier)  # noqa: E731
    return CsvWriter(opened, style, earlier) if format_ == "csv" else JsonLinesWriter(opened, earlier)


def _rejected_path(path: Path) -> Path:
    return path.with_name(path.name + ".errors.jsonl")


def _refuse_unwritable(args: argparse.Namespace, format_: str) -> None:
    path: Path = args.output
    if args.input is not None and path.exists() and args.input.exists() and path.samefile(args.input):
        raise CliError(f"{path} is the input; name another file with --output")
    if args.resume and format_ == "parquet":
        raise CliError("parquet cannot be appended to, so it cannot be resumed; write .csv or .jsonl, or omit --resume")
    for there in (path, _rejected_path(path)):
        if there.exists() and not args.resume and not args.force:
            raise CliError(f"{there} already exists; continue it with --resume, or replace it with --force")
