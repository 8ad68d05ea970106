"""`papers classify --engine ray`: the same rows as in one process, whatever is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders
from tests.app.running import ROOT
from tests.cli.command import Command, read_csv, write_csv

pytest.importorskip("ray", reason="needs Ray, which is the extra `ray`")
pytestmark = pytest.mark.slow

# Every seventh row has no text.
ROWS = [{"id": str(i), "title": "a star" if i % 7 else "", "abstract": "a proof" if i % 5 else ""} for i in range(1500)]
BAD = sum(not row["title"] and not row["abstract"] for row in ROWS)


class Bulk:
    """Starts the command in a process of its own, and finds the workers that this process started."""

    def __init__(self, folder: Path) -> None:
        self.artefacts = builders.publish(folder / "artefacts").root
        self.output = folder / "out"
        self._token = f"PAPERS_BULK_TEST={uuid.uuid4()}"

    def start(self, source: Path | str, *options: object) -> subprocess.Popen[str]:
        name, _, value = self._token.partition("=")
        command = [
            sys.executable, "-m", "cli", "classify", "--engine", "ray", source, self.output,
            "--artefacts", self.artefacts, "--format", "csv", "--rows-per-part", "50", *options,
        ]  # fmt: skip
        return subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=os.environ | {name: value}, stderr=subprocess.PIPE, text=True
        )

    def run(self, source: Path | str, *options: object) -> tuple[int, str]:
        process = self.start(source, *options)
        told = process.communicate(timeout=180)[1]
        return process.returncode, told

    def wait_for_parts(self, count: int) -> None:
        until = time.monotonic() + 120
        while len(self.parts()) < count and time.monotonic() < until:
            time.sleep(0.05)

    def parts(self) -> list[Path]:
        return sorted(self.output.glob("_done/*.json"))

    def rows(self) -> list[dict[str, str]]:
        return [row for part in sorted(self.output.glob("part-*.csv")) for row in read_csv(part)]

    def rejected(self) -> list[int]:
        files = sorted(self.output.glob("_rejected/*.jsonl"))
        return [json.loads(line)["row"] for file in files for line in file.read_text().splitlines()]

    def workers(self) -> Iterator[int]:
        """Processes of this run that label: those of other runs lack its token."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if b"ray::MapWorker" in command and self._token.encode() in environment:
                yield int(folder.name)


@pytest.fixture
def bulk(tmp_path: Path) -> Bulk:
    """The command with the tiny artefact."""
    return Bulk(tmp_path)


def locally(bulk: Bulk, source: Path, target: Path) -> list[dict[str, str]]:
    """The rows that one process writes."""
    assert Command(bulk.artefacts)("classify", source, "-o", target).status == 1
    return read_csv(target)


def test_many_processes_write_the_same_rows_as_one(bulk: Bulk, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    status, told = bulk.run(source)
    assert (status, f"{len(ROWS) - BAD:,} papers labelled" in told) == (1, True), told
    assert bulk.rows() == locally(bulk, source, tmp_path / "local.csv")
    assert bulk.rejected() == [i for i, row in enumerate(ROWS, 1) if not row["title"] and not row["abstract"]]
    before = {path: path.stat().st_mtime_ns for path in bulk.output.rglob("*")}
    status, told = bulk.run(source)
    assert (status, f"({len(ROWS) - BAD:,} before)" in told) == (1, True), told
    assert {path: path.stat().st_mtime_ns for path in bulk.output.rglob("*")} == before
    status, told = bulk.run(source, "--prefix", "p_")
    assert (status, "holds the output of another call (its prefix differ)" in told) == (2, True)


def test_a_folder_of_tables_is_labelled_and_a_broken_one_reported(bulk: Bulk, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    write_csv(folder / "a.csv", ROWS[1:61])
    (folder / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[71:74]))
    (folder / "c.json").write_text(json.dumps(ROWS[78:80])[:-1])
    (folder / "notes.docx").write_text("")
    status, told = bulk.run(folder)
    assert (status, "c.json: is not JSON after row 2" in told) == (2, True), told
    texts = [row for row in [*ROWS[1:61], *ROWS[71:74], *ROWS[78:80]] if row["title"] or row["abstract"]]
    assert [row["id"] for row in bulk.rows()] == [row["id"] for row in texts]


def test_a_killed_run_is_completed_by_the_next_one(bulk: Bulk, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS * 4)
    process = bulk.start(source)
    bulk.wait_for_parts(5)
    process.kill()
    process.communicate(timeout=30)
    made = len(bulk.parts())
    assert 5 <= made < 4 * len(ROWS) / 50
    assert bulk.run(source)[0] == 1
    assert bulk.rows() == locally(bulk, source, tmp_path / "local.csv")
    assert len(bulk.rejected()) == 4 * BAD


def test_a_killed_worker_loses_and_duplicates_no_row(bulk: Bulk, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS * 4)
    process = bulk.start(source)
    bulk.wait_for_parts(3)
    victims = list(bulk.workers())[:1]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    told = process.communicate(timeout=180)[1]
    assert len(victims) == 1
    assert process.returncode == 1, told
    assert bulk.rows() == locally(bulk, source, tmp_path / "local.csv")
    assert len(bulk.rejected()) == 4 * BAD


def test_two_nodes_and_an_object_store_give_the_same_rows(bulk: Bulk, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    source = write_csv(tmp_path / "in.csv", ROWS)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        # An address rather than a path, as of an object store.
        status, told = bulk.run(f"file://{source}", "--address", cluster.address)
    finally:
        cluster.shutdown()
    assert status == 1, told
    assert bulk.rows() == locally(bulk, source, tmp_path / "local.csv")
