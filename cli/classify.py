"""`classify`: a text, a file or standard input. Knows the options; the work is job.py's."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import artefacts
from cli.errors import CliError
from cli.job import Job, Tally
from cli.labellers import Labeller, LocalLabeller, Refusal
from cli.progress import Progress
from cli.statuses import told
from cli.table import Addition, TextColumns
from cli.target import Target, kind_of, open_target
from cli.terminal import Terminal
from model_store.cpus import usable_cpus
from model_store.papers import Paper
from tables import BadRow, Options, Row, scan

_BATCHES_IN_FLIGHT = 2
_EPILOG = """\
examples:
  papers classify --title "A compiler for quantum circuits"
  papers classify papers.csv -o labelled.csv            every row, with labels and probabilities added
  papers classify papers.csv -o labelled.csv --resume   go on where it was interrupted
  papers classify papers.jsonl -o labelled.parquet      from one format to another
  cat papers.jsonl | papers classify --format jsonl | head
  papers classify papers.csv -o labelled.csv --url http://127.0.0.1:8000

Input is .csv, .jsonl or .json (each also .gz), or .parquet; output the same, without .gz. A CSV may
use commas, semicolons or tabs; what an older spreadsheet saved may need --encoding cp1252. A CSV that
is written has commas and UTF-8; for one to open in Excel, say --bom. Every
column of the input is kept; `labels`, `status`, a probability per label and `model`, which says what
made the row, come after them. Rows that cannot be labelled are left out; OUTPUT.errors.jsonl has
their numbers and the reasons.

exit status: 0 all rows labelled, 1 some were left out, 2 stopped before the end, 130 interrupted
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The parser of this command."""
    parser = commands.add_parser(
        "classify", help="label a paper, or a table of papers", description="Label a paper, or a table of papers.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument("input", nargs="?", type=Path, metavar="INPUT", help="a table; left out or -: standard input")
    parser.add_argument("-o", "--output", type=Path, help="the table to write (default: standard output)")
    parser.add_argument("--title", default="", help="label this one paper")
    parser.add_argument("--abstract", default="", help="its abstract")
    parser.add_argument("--format", choices=("csv", "jsonl", "parquet"), help="of standard input and output")
    parser.add_argument("--encoding", default="utf-8", help="of the input's text, e.g. cp1252 (default: utf-8)")
    parser.add_argument("--bom", action="store_true", help="begin a CSV with the mark by which Excel knows UTF-8")
    parser.add_argument("--title-column", metavar="NAME", help='default: "title" in upper or lower case')
    parser.add_argument("--abstract-column", metavar="NAME", help='default: "abstract" in upper or lower case')
    parser.add_argument("--prefix", default="", help="put before the name of every added column")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="keep the complete rows of the output and go on after them"
    )
    again.add_argument("--force", action="store_true", help="replace the output")
    parser.add_argument("--threads", type=int, metavar="N", help="papers side by side (default: the usable processors)")
    parser.add_argument("--url", help="ask this service instead of loading an artefact")
    parser.add_argument("--key-file", type=Path, help="file with the service's API key")
    artefacts.add_options(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Returns the exit status."""
    args.input = None if args.input == Path("-") else args.input
    if args.threads is not None and args.threads < 1:
        raise CliError(f"--threads is {args.threads}, expected at least 1")
    _check_encoding(args.encoding)
    with _labeller(args) as labeller:
        if args.title or args.abstract:
            return _one(args, terminal, labeller)
        return _table(args, terminal, labeller)


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
    except LookupError:
        raise CliError(
            f"--encoding is {name!r}, expected one that Python knows, e.g. utf-8, cp1252 or utf-16"
        ) from None


def _one(args: argparse.Namespace, terminal: Terminal, labeller: Labeller) -> int:
    if args.input or args.output:
        raise CliError("--title and --abstract are for one paper, without INPUT and --output")
    (outcome,) = labeller([Paper(args.title, args.abstract)])
    if isinstance(outcome, Refusal):
        terminal.warn(outcome.reason)
        return 1
    if args.format is None:
        terminal.say(f"{'; '.join(outcome.labels) or 'no label'} ({told(outcome.status)})\n")
        for name, p in sorted(zip(labeller.labels, outcome.probabilities, strict=True), key=lambda pair: -pair[1]):
            terminal.say(f"  {p:.3f}  {'*' if name in outcome.labels else ' '}  {name}")
        return 0
    addition = Addition(labeller.labels, labeller.model, args.prefix)
    sink = open_target(args, terminal, args.format, addition).sink
    sink.begin(addition.columns)
    sink.write(addition.cells(outcome))
    sink.close(True)
    return 0


def _table(args: argparse.Namespace, terminal: Terminal, labeller: Labeller) -> int:
    kind = _source_kind(args, terminal)
    addition = Addition(labeller.labels, labeller.model, args.prefix)
    target = open_target(args, terminal, kind, addition)
    threads = args.threads or (_BATCHES_IN_FLIGHT if args.url else usable_cpus())
    columns = TextColumns(args.title_column, args.abstract_column)
    job = Job(labeller, threads, columns, addition, target.sink, target.faults)
    progress = Progress(terminal.err, _total(args, terminal), target.kept.rows)
    tally = _labelled(job, target, _rows(args, terminal, kind), progress)
    if args.output or tally.bad:
        for line in _summary(tally, target, progress):
            terminal.warn(line)
    return 1 if tally.bad else 0


def _summary(tally: Tally, target: Target, progress: Progress) -> Iterator[str]:
    place = f", see {target.faults.path}" if tally.bad and target.faults.path else ""
    earlier = f" ({target.kept.rows:,} before)" if target.kept.rows else ""
    papers = "1 paper" if tally.labelled == 1 else f"{tally.labelled:,} papers"
    yield f"{papers} labelled{earlier}, {progress.rate:.1f}/s; {tally.bad:,} left out{place}"
    these = "of the new ones" if earlier else "of them"
    for status, count in sorted(tally.statuses.items()):
        if status != "ok":
            yield f"{these}, {count:,} {told(status)}"


def _labelled(job: Job, target: Target, rows: Iterator[Row | BadRow], progress: Progress) -> Tally:
    complete = False
    try:
        tally = job.run(rows, target.kept, progress)
        complete = True
    finally:
        progress.end()
        target.sink.close(complete)
        target.faults.close()
    return tally


def _source_kind(args: argparse.Namespace, terminal: Terminal) -> str:
    if args.input is not None:
        return kind_of(args.input)
    if terminal.idle:
        raise CliError("nothing to label: name a file, pipe one in, or give --title; see papers classify --help")
    if args.format is None:
        raise CliError("standard input has no name that tells its format; say --format csv or jsonl")
    return str(args.format)


def _rows(args: argparse.Namespace, terminal: Terminal, kind: str) -> Iterator[Row | BadRow]:
    return scan(terminal.stdin if args.input is None else args.input, Options(kind, args.encoding))


def _total(args: argparse.Namespace, terminal: Terminal) -> int | None:
    # Reading a table is thousands of times faster than labelling it; who watches wants to know how long.
    watched = args.input and terminal.err.isatty()
    return sum(1 for _ in scan(args.input, Options(encoding=args.encoding))) if watched else None


@contextmanager
def _labeller(args: argparse.Namespace) -> Iterator[Labeller]:
    if args.url is None:
        yield LocalLabeller(artefacts.proven(artefacts.store(args).open(version=args.artefact_version)))
        return
    try:
        from cli.remote import RemoteLabeller, connect
    except ImportError:
        raise CliError("--url needs httpx: pip install httpx, which is the extra `client`") from None
    with connect(args.url, args.key_file) as client:
        yield RemoteLabeller(client)
