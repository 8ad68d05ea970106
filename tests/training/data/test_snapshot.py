"""arXiv's metadata snapshot, as large as it is: a sample of it is drawn while it is read."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# As many as arXiv's own snapshot had in 2025.
LINES = 2_700_000
MEGABYTES = 2_048

PEAK = """
import resource, sys
from pathlib import Path
from training.config import DataConfig, Source, TextFile
from training.data.corpus import read_corpus
from training.data.texts import read_texts

path = Path(sys.argv[1])
"""
LABELLED = """
categories = {"Physics": ("hep-th",), "Biology": ("q-bio",)}
source = Source(path=path, sample=1000, since="2008-01-01", having=tuple(categories))
corpus = read_corpus(DataConfig(train=(source,), categories=categories), seed=1)
print(corpus.report[str(path)]["rows"], len(corpus.train) + len(corpus.validation))
"""
UNLABELLED = """
print(len(read_texts([TextFile(path=path, sample=1000, since="2008-01-01")], held_out=[], seed=1)))
"""
REPORT = """
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10))
"""


def write_snapshot(path: Path, lines: int) -> None:
    """Write lines in the snapshot's layout, about 1.5 kB each, without holding more than one of them."""
    record = {
        "id": "%(n)08d", "submitter": "A. Person", "authors": "A. Person, B. Person and C. Person",
        "title": "On the motion of stone %(n)d", "comments": "12 pages", "journal-ref": None, "doi": None,
        "report-no": None, "categories": "%(categories)s", "license": None,
        "abstract": "  We follow stone %(n)d down a slope and record where it rests.\n" * 14,
        "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}],
        "update_date": "20%(year)02d-11-26", "authors_parsed": [["Person", letter, ""] for letter in "ABC"],
    }  # fmt: skip
    line = json.dumps(record) + "\n"
    with path.open("w") as file:
        for n in range(lines):
            categories = ("math.CO cs.DM", "hep-th", "q-bio.PE stat.AP")[n % 3]
            file.write(line % {"n": n, "categories": categories, "year": 7 + n % 10})


def run(script: str, path: Path) -> list[int]:
    """The numbers that a fresh interpreter prints for a snapshot, the last one its peak memory in megabytes."""
    command = [sys.executable, "-c", PEAK + script + REPORT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


@pytest.fixture(scope="module", params=[6_000, pytest.param(LINES, marks=pytest.mark.slow)])
def snapshot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    path, lines = tmp_path_factory.mktemp("snapshot") / "snapshot.json", request.param
    write_snapshot(path, lines)
    yield path, lines
    path.unlink()  # the large one has four gigabytes


def test_a_labelled_sample_of_a_snapshot_fits_into_two_gigabytes(snapshot: tuple[Path, int]) -> None:
    path, lines = snapshot
    rows, drawn, megabytes = run(LABELLED, path)
    assert (rows, drawn) == (lines, 1000)
    assert megabytes < MEGABYTES


def test_an_unlabelled_sample_of_a_snapshot_fits_into_two_gigabytes(snapshot: tuple[Path, int]) -> None:
    drawn, megabytes = run(UNLABELLED, snapshot[0])
    assert drawn == 1000
    assert megabytes < MEGABYTES
