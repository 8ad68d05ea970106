"""Papers a second of `papers classify`: in one process, and with Ray at one and two workers and on two nodes.

    python -m benchmarks.bulk papers.csv [--rounds 3]

Every way labels the same rows into CSV with the bundled artefact, in turn in every round, each as a command of its own;
Ray's nodes are started before the time is taken, all on this machine, so more workers than processors gain nothing.
Prints a Markdown table: seconds of the whole command, papers a second in all of them, papers a second as the command
reports them, which leaves the start of the interpreter out but not that of Ray's workers, and whether the rows are
those of one process, byte for byte. Needs the extra `ray`; an interpreter without it measures the single process only.
"""

import argparse
import csv
import gzip
import importlib.util
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.markdown import insert, table

_ROOT = Path(__file__).parents[1]
_REPORT = re.compile(r"([\d,]+) papers labelled, ([\d.]+)/s")


class Way(NamedTuple):
    """A way to label a table: threads in this process, or the processors of each of Ray's nodes."""

    name: str
    threads: int = 0
    nodes: tuple[int, ...] = ()


WAYS = (
    Way("one process, one thread", threads=1),
    Way("one process, two threads", threads=2),
    Way("Ray, one worker", nodes=(1,)),
    Way("Ray, two workers", nodes=(2,)),
    Way("Ray, two nodes of one worker", nodes=(1, 1)),
)


class Labelled(NamedTuple):
    """The duration of one command, and the rows that it wrote."""

    seconds: float
    papers: int
    reported: float
    """Papers a second, as the command says."""
    rows: bytes


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", type=Path, help="a CSV, perhaps .gz, with titles and abstracts")
    parser.add_argument(
        "--rows", type=int, default=2000, help="that are labelled, from the first (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--rows-per-part", type=int, default=250, help="of Ray's parts (default: %(default)s)")
    parser.add_argument("--artefacts", type=Path, help="default: the bundled ones")
    parser.add_argument("--document", type=Path, help="put the table into this document, too")
    options = parser.parse_args(arguments)
    ways = [way for way in WAYS if not way.nodes or importlib.util.find_spec("ray")]
    with tempfile.TemporaryDirectory() as folder:
        source = first_rows(options.papers, options.rows, Path(folder, "papers.csv"))
        rounds = [[_label(way, source, options) for way in ways] for _ in range(options.rounds)]
    content = report(ways, rounds)
    print(content)
    if options.document:
        insert(options.document, {"bulk": content})


def first_rows(table: Path, count: int, target: Path) -> Path:
    """Write a CSV with the first rows of another one, and return its path."""
    opener = gzip.open if table.suffix == ".gz" else open
    with opener(table, "rt", encoding="utf-8", newline="") as source, target.open("w", newline="") as file:
        csv.writer(file).writerows(islice(csv.reader(source), count + 1))
    return target


def report(ways: Sequence[Way], rounds: Sequence[Sequence[Labelled]]) -> str:
    """The table; `rounds` hold the measurement of each way, the table shows medians."""
    reference, papers = rounds[0][0].rows, rounds[0][0].papers
    rows = []
    for number, way in enumerate(ways):
        labelled = [one[number] for one in rounds]
        seconds = statistics.median(one.seconds for one in labelled)
        reported = statistics.median(one.reported for one in labelled)
        same = "the same bytes" if all(one.rows == reference for one in labelled) else "DIFFERENT"
        rows.append([way.name, f"{seconds:.1f}", f"{papers / seconds:.1f}", f"{reported:.1f}", same])
    header = (f"{papers:,} papers", "command, s", "papers/s in all", "papers/s reported", "rows")
    return table(header, rows)


def _label(way: Way, source: Path, options: argparse.Namespace) -> Labelled:
    artefacts = ["--artefacts", options.artefacts] if options.artefacts else []
    with tempfile.TemporaryDirectory() as folder, _cluster(way.nodes) as address:
        output = Path(folder, "labelled")
        if way.nodes:
            parts = ["--rows-per-part", options.rows_per_part, "--format", "csv"]
            return _run([source, output, "--engine", "ray", "--address", address, *parts, *artefacts], output)
        table = output.with_suffix(".csv")
        return _run([source, "--output", table, "--threads", way.threads, *artefacts], table)


def _run(arguments: Sequence[object], output: Path) -> Labelled:
    began = time.monotonic()
    # Tables that are labelled already have columns with the names of the added ones.
    command = [sys.executable, "-m", "cli", "classify", "--prefix", "predicted_", *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    told = _REPORT.search(done.stderr)
    # Status 1 means that some rows had no text.
    if done.returncode not in (0, 1) or told is None:
        raise RuntimeError(f"the command ended with status {done.returncode}: {done.stderr}")
    papers, reported = int(told[1].replace(",", "")), float(told[2])
    return Labelled(seconds, papers, reported, joined(output))


def joined(output: Path) -> bytes:
    """The rows of a table, or of the parts of a folder one after another, without headers."""
    files = sorted(output.glob("part-*.csv")) if output.is_dir() else [output]
    return b"".join(file.read_bytes().partition(b"\n")[2] for file in files)


@contextmanager
def _cluster(processors: Sequence[int]) -> Iterator[str | None]:
    """A cluster of nodes on this machine with so many processors each, and its address."""
    if not processors:
        yield None
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": processors[0], "include_dashboard": False})
    try:
        for count in processors[1:]:
            cluster.add_node(num_cpus=count)
        yield cluster.address
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
