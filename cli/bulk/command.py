"""`papers classify --engine ray`: the plan, the parts that an earlier run has written, and the progress."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from cli import artefacts
from cli.added_columns import AddedColumns
from cli.bulk.engine import Plan, run_plan
from cli.bulk.folder import Folder, find_tables, local_copy, size
from cli.bulk.parts import DONE, REJECTED, PartResult, Source
from cli.errors import CliError
from cli.labellers import LocalLabeller
from cli.output import parse_delimiter
from cli.progress import Progress
from cli.terminal import Terminal
from cli.text_columns import TextColumns, Wanted
from model_store.store import Release
from tables import Options, Row, TableError, open_table
from tables.writers import CsvStyle

_RUN = "_run.json"
# The number of rows that are searched for columns where no header lists them.
_SAMPLE_ROWS = 1000


def classify_by_ray(args: argparse.Namespace, terminal: Terminal) -> int:
    """Label the tables of INPUT into parts in the folder OUTPUT; returns the exit status."""
    if not args.input or not args.folder:
        raise CliError("--engine ray reads INPUT and writes to a folder: papers classify --engine ray INPUT OUTPUT")
    if args.format not in (None, "csv", "parquet"):
        raise CliError(f"--engine ray writes parquet or csv, not {args.format}")
    if args.rows_per_part < 1:
        raise CliError(f"--rows-per-part is {args.rows_per_part}, expected at least 1")
    artefact = artefacts.opened(args)
    release = Release(artefact.manifest.name, artefact.manifest.version, artefact.folder)
    labeller = LocalLabeller(artefacts.verified_classifier(artefact))
    added = AddedColumns(labeller.labels, labeller.model, args.prefix, scores=args.scores, top=args.top, uris=args.uris)
    plan = _plan(args, terminal, added)
    folder = Folder(args.folder)
    done = _resume(folder, plan, labeller.model)
    earlier = [PartResult(**json.loads(folder.read(f"{DONE}/{name}.json"))) for name in sorted(done)]
    return _run(run_plan(plan, release, done, args.address), earlier, folder, terminal)


def _plan(args: argparse.Namespace, terminal: Terminal, added: AddedColumns) -> Plan:
    options = Options(None, args.encoding, parse_delimiter(args.input_delimiter, "--input-delimiter"))
    title, abstract = Wanted(args.title_column, args.no_title), Wanted(args.abstract_column, args.no_abstract)
    text_columns = TextColumns(title, abstract)
    sources = []
    for number, address in enumerate(find_tables(args.input, args.folder)):
        columns = _columns(address, options)
        for line in text_columns.check(columns):
            terminal.warn(f"{address}: {line}")
        added.check(columns)
        sources.append(Source(number, address, columns))
    style = CsvStyle(parse_delimiter(args.delimiter, "--delimiter") or ",", args.decimal, args.bom)
    return Plan(
        sources, args.folder, args.format or "parquet", options, args.rows_per_part, title, abstract,
        args.prefix, args.scores, args.top, args.uris, style,
    )  # fmt: skip


def _columns(address: str, options: Options) -> list[str]:
    """The columns of a table; where no header lists them, those of its first rows."""
    columns: dict[str, None] = {}
    with local_copy(address) as path, open_table(path, options) as table:
        if table.columns is not None:
            return table.columns
        try:
            for row in islice(table.rows, _SAMPLE_ROWS):
                columns.update(dict.fromkeys(row.cells if isinstance(row, Row) else ()))
        except TableError:
            # The rows before the error are labelled; the error is reported when reading reaches it.
            if not columns:
                raise
    return list(columns)


def _resume(folder: Folder, plan: Plan, model: str) -> frozenset[str]:
    """Names of the parts that an earlier call wrote; CliError if that call had other options."""
    sizes = {source.address: size(source.address) for source in plan.sources}
    # The address of the output may differ: a folder may be moved.
    facts = plan._replace(sources=[], output="")._asdict() | {"model": model, "sizes": sizes}
    told = json.loads(json.dumps(facts | {"columns": [asdict(source)["columns"] for source in plan.sources]}))
    if not folder.exists(_RUN):
        folder.write(_RUN, json.dumps(told, indent=2).encode())
        return frozenset()
    before = json.loads(folder.read(_RUN))
    if different := sorted(name for name in told if told[name] != before.get(name)):
        raise CliError(
            f"{folder.address} holds the output of another call (its {', '.join(different)} differ); "
            "name another folder"
        )
    return frozenset(Path(name).stem for name in folder.names(DONE) if name.endswith(".json"))


def _run(results: Iterator[PartResult], earlier: list[PartResult], folder: Folder, terminal: Terminal) -> int:
    labelled, bad = sum(part.labelled for part in earlier), sum(part.bad for part in earlier)
    before = labelled
    progress = Progress(terminal.err, before=labelled + bad)
    errors = []
    for result in results:
        labelled, bad = labelled + result.labelled, bad + result.bad
        errors += [result.error] if result.error else []
        for _ in range(result.labelled + result.bad):
            progress.step(bad)
    progress.end()
    place = f", see {folder.address}/{REJECTED}" if bad else ""
    told = f" ({before:,} before)" if before else ""
    terminal.warn(f"{labelled:,} papers labelled{told}, {progress.rate:.1f}/s; {bad:,} left out{place}")
    if errors:
        raise CliError("; ".join(errors))
    return 1 if bad else 0
