"""`classify`: label a paper, or a table from a file or from standard input."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from cli import artefacts, options
from cli.added_columns import MOST_SCORE_COLUMNS, AddedColumns
from cli.errors import CliError
from cli.labellers import Labeller, LocalLabeller
from cli.labelling import Labelling, Tally
from cli.one_paper import label_one_paper
from cli.output import Output, open_output, output_format, parse_delimiter
from cli.progress import Progress
from cli.statuses import described
from cli.terminal import Terminal
from cli.text_columns import TextColumns, Wanted
from model_store.cpus import usable_cpus
from tables import BadRow, Options, Row, Table, TableError, open_table, scan
from tables.reader import format_of

_BATCHES_IN_FLIGHT = 2
# The number of rows that are searched for columns where no header lists them.
_SAMPLE_ROWS = 1000
_EPILOG = f"""\
examples:
  papers classify --title "A compiler for quantum circuits"
  papers classify papers.csv -o labelled.csv            every row, with labels and probabilities added
  papers classify papers.csv -o labelled.csv --resume   continue an interrupted run
  papers classify savedrecs.ris -o labelled.csv         from one format to another
  cat papers.jsonl | papers classify --format jsonl | head
  papers classify papers.csv -o labelled.csv --url http://127.0.0.1:8000
  papers classify --engine ray s3://bucket/exports/ s3://bucket/labelled/

Input is CSV in any dialect (.csv, .tsv, .txt), JSON (.jsonl, .json), each also .gz; .parquet, .xlsx, and
what databases and reference managers export: .ris, .nbib, .bib. Output is .csv, .tsv, .jsonl or .parquet.
docs/tables.md lists the dialects, and the names by which columns of titles and abstracts are found.
A CSV is written in UTF-8 with the delimiter of the input; use --bom for Excel.

Every column of the input is kept; `labels`, `status`, scores and `model`, the model that labelled the row,
are added after them. Scores are a column per label up to {MOST_SCORE_COLUMNS} labels, the most probable five otherwise.
Rows that cannot be labelled are left out; OUTPUT.errors.jsonl has their numbers and the reasons.

exit status: 0 all rows labelled, 1 some were left out, 2 stopped before the end, 130 interrupted
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "classify", help="label a paper, or a table of papers", description="Label a paper, or a table of papers.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument("input", nargs="?", metavar="INPUT", help="a table; omitted or -: standard input")
    parser.add_argument("folder", nargs="?", metavar="OUTPUT", help="with --engine ray: the folder of the parts")
    parser.add_argument("-o", "--output", type=Path, help="the table to write (default: standard output)")
    parser.add_argument("--title", default="", help="label this one paper")
    parser.add_argument("--abstract", default="", help="its abstract")
    options.add_input_options(parser)
    options.add_output_options(parser)
    options.add_ray_options(parser)
    parser.add_argument(
        "--threads", type=int, metavar="N", help="papers scored in parallel (default: the usable processors)"
    )
    parser.add_argument("--url", help="ask this service instead of loading an artefact")
    parser.add_argument("--key-file", type=Path, help="file with the service's API key")
    artefacts.add_options(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Returns the exit status."""
    if args.engine == "ray":
        return _run_by_ray(args, terminal)
    if args.folder is not None:
        raise CliError(f"{args.folder}: name the table to write with --output; a folder of parts needs --engine ray")
    args.input = None if args.input in (None, "-") else Path(args.input)
    for option in ("threads", "top"):
        if (value := getattr(args, option)) is not None and value < 1:
            raise CliError(f"--{option} is {value}, expected at least 1")
    _check_encoding(args.encoding)
    with _labeller(args) as labeller:
        added = AddedColumns(
            labeller.labels, labeller.model, args.prefix, scores=args.scores, top=args.top, uris=args.uris
        )
        if args.title or args.abstract:
            return label_one_paper(args, terminal, labeller, added)
        with _open_input(args, terminal) as table:
            return _label_table(args, terminal, labeller, table, added)


def _run_by_ray(args: argparse.Namespace, terminal: Terminal) -> int:
    try:
        from cli.bulk.command import classify_by_ray
    except ImportError as error:
        raise CliError(f"--engine ray needs {error.name}: pip install 'ray[data]', which is the extra `ray`") from None
    return classify_by_ray(args, terminal)


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
    except (LookupError, UnicodeError):
        raise CliError(
            f"--encoding is {name!r}, expected one that Python knows, e.g. utf-8, cp1252 or utf-16"
        ) from None


def _label_table(
    args: argparse.Namespace, terminal: Terminal, labeller: Labeller, table: Table, added: AddedColumns
) -> int:
    text_columns = _text_columns(args)
    threads = args.threads or (_BATCHES_IN_FLIGHT if args.url else usable_cpus())
    output = open_output(args, terminal, table, added)
    progress = Progress(terminal.err, _total(args, terminal), output.earlier.rows)
    complete = False
    try:
        columns, rows = _columns(args, table)
        for line in table.notes:
            terminal.warn(line)
        columns_read = text_columns.check(columns)
        added.check(columns)
        for line in columns_read:
            terminal.warn(line)
        labelling = Labelling(labeller, threads, text_columns, added, output.writer, output.rejected)
        tally = labelling.run(rows, columns, output.earlier, progress)
        complete = True
    finally:
        progress.end()
        output.close(complete=complete)
    if args.output or tally.bad:
        for line in _summary(args, tally, output, progress):
            terminal.warn(line)
    for line in (*table.notes, *columns_read):
        if line.startswith("WARNING"):
            terminal.warn(line)
    return 1 if tally.bad else 0


def _text_columns(args: argparse.Namespace) -> TextColumns:
    return TextColumns(Wanted(args.title_column, args.no_title), Wanted(args.abstract_column, args.no_abstract))


def _columns(args: argparse.Namespace, table: Table) -> tuple[Sequence[str], Iterator[Row | BadRow]]:
    """The columns of a table, and its rows."""
    if table.columns is not None:
        return table.columns, table.rows
    if _is_stream(args):
        # It can be read only once and may be slow, so only the rows up to the first good one are used.
        first = _first_rows(table.rows)
        return _columns_of(first), chain(first, table.rows)
    # A CSV needs all columns in its header; reading a table is thousands of times faster than labelling it.
    limit = _SAMPLE_ROWS if output_format(args, table) == "jsonl" else None
    return _columns_of(islice(scan(args.input, _options(args)), limit)), table.rows


def _is_stream(args: argparse.Namespace) -> bool:
    """Whether the input is standard input or a pipe with a name, such as a process substitution of the shell."""
    return args.input is None or not args.input.is_file()


def _first_rows(rows: Iterator[Row | BadRow]) -> list[Row | BadRow]:
    """The rows up to the first good one."""
    first: list[Row | BadRow] = []
    for row in islice(rows, _SAMPLE_ROWS):
        first.append(row)
        if isinstance(row, Row):
            break
    return first


def _columns_of(rows: Iterable[Row | BadRow]) -> list[str]:
    columns, bad = dict[str, None](), None
    for row in rows:
        if isinstance(row, Row):
            columns.update(dict.fromkeys(row.cells))
        else:
            bad = bad or row
    if bad and not columns:
        raise CliError(f"no row of the input can be read; {bad}")
    return list(columns)


def _summary(args: argparse.Namespace, tally: Tally, output: Output, progress: Progress) -> Iterator[str]:
    place = f", see {args.output}.errors.jsonl" if tally.bad and args.output else ""
    earlier = f" ({output.earlier.rows:,} before)" if output.earlier.rows else ""
    papers = "1 paper" if tally.labelled == 1 else f"{tally.labelled:,} papers"
    yield f"{papers} labelled{earlier}, {progress.rate:.1f}/s; {tally.bad:,} left out{place}"
    these = "of the new ones" if earlier else "of them"
    for status, count in sorted(tally.statuses.items()):
        if status != "ok":
            yield f"{these}, {count:,} {described(status)}"
    if tally.title_only:
        yield f"{these}, {tally.title_only:,} by the title alone: without an abstract, or with a word in its place"


def _open_input(args: argparse.Namespace, terminal: Terminal) -> Table:
    if args.input is not None:
        return open_table(args.input, _options(args))
    if terminal.idle:
        raise CliError("nothing to label: name a file, pipe one in, or give --title; see papers classify --help")
    if args.format is None:
        raise CliError("the format of standard input is unknown; use --format csv or jsonl")
    return open_table(terminal.stdin, _options(args))


def _options(args: argparse.Namespace) -> Options:
    delimiter = parse_delimiter(args.input_delimiter, "--input-delimiter")
    return Options(None if args.input and _has_known_extension(args.input) else args.format, args.encoding, delimiter)


def _has_known_extension(path: Path) -> bool:
    """Whether a file's name has a known extension; --format then applies to the output."""
    try:
        format_of(path)
    except TableError:
        return False
    return True


def _total(args: argparse.Namespace, terminal: Terminal) -> int | None:
    # Counting rows takes a thousandth of the time of labelling them; with the count, the remaining time can be shown.
    watched = terminal.err.isatty() and not _is_stream(args)
    return sum(1 for _ in scan(args.input, _options(args))) if watched else None


@contextmanager
def _labeller(args: argparse.Namespace) -> Iterator[Labeller]:
    if args.url is None:
        yield LocalLabeller(artefacts.verified_classifier(artefacts.opened(args)))
        return
    try:
        from cli.remote import RemoteLabeller, connect
    except ImportError:
        raise CliError("--url needs httpx: pip install httpx, which is the extra `client`") from None
    with connect(args.url, args.key_file) as client:
        yield RemoteLabeller(client)
