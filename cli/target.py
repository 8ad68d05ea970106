"""Where a table is written: the output and, beside it, the faults. Knows which files may be touched."""

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from cli.errors import CliError
from cli.faults import Faults
from cli.kept import Kept
from cli.parquet_sink import ParquetSink
from cli.sinks import CsvSink, JsonLinesSink, Opened, Sink, kept, writer
from cli.table import Addition
from cli.terminal import Terminal


class Target(NamedTuple):
    """The output, what an earlier run left in it, and the faults."""

    sink: Sink
    kept: Kept
    faults: Faults


def kind_of(path: Path) -> str:
    """The format that a name tells: csv, jsonl or parquet; raises CliError."""
    kinds = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in kinds:
        raise CliError(f"{path}: unknown format; expected a name that ends in {', '.join(kinds)}")
    return kinds[suffix]


def open_target(args: argparse.Namespace, terminal: Terminal, source_kind: str, addition: Addition) -> Target:
    """What `--output` names, or standard output; raises CliError rather than overwrite anything."""
    if args.output is None:
        kind = args.format or ("csv" if source_kind == "csv" else "jsonl")
        if kind == "parquet":
            raise CliError("parquet cannot be written to standard output; name a file with --output")
        sink = _text_sink(args, kind, lambda: nullcontext(terminal.out), Kept())
        return Target(sink, Kept(), Faults(None, terminal.err))
    return _file_target(args, terminal, addition, kind_of(args.output), source_kind)


def _file_target(
    args: argparse.Namespace, terminal: Terminal, addition: Addition, kind: str, source_kind: str
) -> Target:
    path: Path = args.output
    _refuse_unwritable(args, kind)
    faults = Faults(path.with_name(path.name + ".errors.jsonl"), terminal.err, resume=args.resume)
    if kind == "parquet":
        source = args.input if source_kind == "parquet" else None
        return Target(ParquetSink(path, addition, source), Kept(), faults)
    done = kept(path, kind) if args.resume else Kept()
    return Target(_text_sink(args, kind, lambda: writer(path, append=args.resume), done), done, faults)


def _text_sink(args: argparse.Namespace, kind: str, opened: Opened, done: Kept) -> Sink:
    return CsvSink(opened, done.header, mark=args.bom) if kind == "csv" else JsonLinesSink(opened)


def _refuse_unwritable(args: argparse.Namespace, kind: str) -> None:
    path: Path = args.output
    if path.name.endswith(".gz"):
        raise CliError(f"{path}: compressed output cannot be resumed, so it is not written; compress it afterwards")
    if args.input is not None and path.exists() and args.input.exists() and path.samefile(args.input):
        raise CliError(f"{path} is the input; name another file with --output")
    if args.resume and kind == "parquet":
        raise CliError(
            "parquet cannot be appended to, so it cannot be resumed; write .csv or .jsonl, or leave --resume out"
        )
    if path.exists() and not args.resume and not args.force:
        raise CliError(f"{path} is there already; go on with --resume, or replace it with --force")
