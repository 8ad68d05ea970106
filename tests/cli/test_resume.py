"""Interrupted at any byte, a run that is resumed ends with the same files as one that was not."""

import gzip
import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.rejected import RejectedRows
from cli.terminal import Terminal
from tables import TableError
from tables.earlier import Earlier, earlier_csv, earlier_json_lines
from tests import builders
from tests.app.running import ROOT
from tests.cli.command import ROWS, Command, write_csv

# Every third row is bad, and cells span lines and hold quotes and letters of several bytes.
MANY = [
    {"ID": str(i), "TITLE": 'a "star"\n, é' if i % 3 else "", "ABSTRACT": "a\r\nproof, ü" if i % 3 else " "}
    for i in range(12)
]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.37, 0.5, 0.66, 0.81, 0.999, 1.0])
def test_a_cut_off_output_is_completed(papers: Command, tmp_path: Path, name: str, share: float) -> None:
    source = write_csv(tmp_path / "in.csv", MANY)
    whole, cut = tmp_path / f"whole-{name}", tmp_path / name
    assert papers("classify", source, "-o", whole).status == 1
    content, rejected = whole.read_bytes(), _rejected(whole).read_bytes()
    cut.write_bytes(content[: round(share * len(content))])
    # Rejected rows are never behind the rows, but may be ahead of them and incomplete themselves.
    _rejected(cut).write_bytes(rejected + b'{"ro')
    assert papers("classify", source, "-o", cut, "--resume").status == 1
    assert cut.read_bytes() == content
    assert _rejected(cut).read_bytes() == rejected


def test_resume_without_an_output_starts_at_the_beginning(papers: Command, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    assert papers("classify", source, "-o", tmp_path / "out.csv", "--resume").status == 0
    ran = papers("classify", source, "-o", tmp_path / "out.csv", "--resume")
    assert ran.status == 0
    assert "3 papers labelled (3 before)" in ran.err


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_an_output_of_another_table_is_not_continued(papers: Command, tmp_path: Path, name: str) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    papers("classify", source, "-o", tmp_path / name)
    before = (tmp_path / name).read_bytes()
    for other in (ROWS[:2], [*ROWS[:2], {**ROWS[2], "ID": "9"}, ROWS[0]]):
        ran = papers("classify", write_csv(tmp_path / "other.csv", other), "-o", tmp_path / name, "--resume")
        assert ran.status == 2
        assert "made from another table" in ran.err
    assert papers("classify", source, "-o", tmp_path / name, "--resume", "--prefix", "p_").status == 2
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_rows_of_another_model_are_not_added_to_those_that_are_there(
    papers: Command, artefacts: Path, tmp_path: Path, name: str
) -> None:
    source, target = write_csv(tmp_path / "in.csv", ROWS), tmp_path / name
    papers("classify", write_csv(tmp_path / "begin.csv", ROWS[:2]), "-o", target)
    before = target.read_bytes()
    builders.publish(artefacts, "1.1.0")
    ran = papers("classify", source, "-o", target, "--resume")
    assert ran.status == 2
    assert "were made by 'tiny-subjects 1.0.0 " in ran.err
    assert "resume with the model of the existing rows (--artefact-version" in ran.err
    assert target.read_bytes() == before
    assert papers("classify", source, "-o", target, "--resume", "--artefact-version", "1.0.0").status == 0
    assert target.read_bytes().startswith(before)
    assert papers("classify", source, "-o", target, "--force").status == 0
    assert b"1.0.0" not in target.read_bytes()


def test_a_csv_with_a_byte_order_mark_is_resumed(papers: Command, tmp_path: Path) -> None:
    source, target = write_csv(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    papers("classify", source, "-o", target, "--bom")
    whole = target.read_bytes()
    assert whole.startswith(b"\xef\xbb\xbfID,")
    target.write_bytes(whole[: len(whole) // 2])
    assert papers("classify", source, "-o", target, "--bom", "--resume").status == 0
    assert target.read_bytes() == whole
    assert papers("classify", target, "--prefix", "again_").out.startswith("ID,")


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("out.csv", b"id,title\n1,my own notes\n2,without an end"),
        ("out.csv", b"one line of notes without an end"),
        ("out.csv", b'a,b\n"x"y,z\n1,2\n'),
        ("out.csv", b"\x89PNG\r\n\x1a\n\x00\x00torn"),
        ("out.jsonl", b'{"id": 1}\n{"id": 2, "notes": "without'),
        ("out.jsonl", b'{"ID": "1", "TITLE": "a whole object of somebody else"}'),
        ("out.jsonl", b"[1]\n{"),
        ("out.jsonl", b"{\n"),
        ("out.jsonl", b"notes"),
    ],
)
def test_a_foreign_file_is_refused_before_it_is_changed(
    papers: Command, tmp_path: Path, name: str, foreign: bytes
) -> None:
    source, target = write_csv(tmp_path / "in.csv", ROWS), tmp_path / name
    target.write_bytes(foreign)
    ran = papers("classify", source, "-o", target, "--resume")
    assert (ran.status, target.read_bytes()) == (2, foreign)
    assert ran.err.splitlines()[-1].startswith("papers classify: ")


@pytest.mark.parametrize("option", [[], ["--resume"]])
def test_a_foreign_file_of_rejected_rows_is_not_changed(papers: Command, tmp_path: Path, option: list[str]) -> None:
    source, target = write_csv(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    for foreign in ('{"row": "mine"}\n', "notes", "notes\n"):
        _rejected(target).write_text(foreign)
        assert papers("classify", source, "-o", target, *option).status == 2
        assert _rejected(target).read_text() == foreign
        assert not target.exists()
    assert papers("classify", source, "-o", target, "--force").status == 0
    assert not _rejected(target).exists()


def test_an_older_output_stays_until_the_new_one_is_complete(papers: Command, tmp_path: Path) -> None:
    source, target = write_csv(tmp_path / "in.csv", MANY), tmp_path / "out.csv"
    assert papers("classify", source, "-o", target).status == 1
    whole, rejected = target.read_bytes(), _rejected(target).read_bytes()
    target.write_bytes(b"older")
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress(source.read_bytes() * 200)[:-12])
    assert papers("classify", broken, "-o", target, "--force").status == 2
    assert target.read_bytes() == b"older"
    beside = tmp_path / "out.csv.part"
    assert beside.exists()
    beside.write_bytes(whole[: len(whole) // 2])
    assert papers("classify", source, "-o", target, "--resume").status == 1
    assert (target.read_bytes(), _rejected(target).read_bytes()) == (whole, rejected)
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.csv", "out.csv.errors.jsonl"]


def test_a_quote_left_open_ends_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"2\n3"\n4,"torn\n')
    assert earlier_csv(path) == Earlier(1, {"a": "1", "b": "2\n3"}, ["a", "b"], 12, '4,"torn\n')
    path.write_text('a,b\n"x"y,z\n1,2\n')
    with pytest.raises(TableError, match=r"a\.csv, line 2: this command writes no such row"):
        earlier_csv(path)
    for line in ("[1]", "{"):
        path.write_text(f"{line}\n")
        with pytest.raises(TableError, match=r"a\.csv, line 1: this command writes no such row"):
            earlier_json_lines(path)


def test_rejected_rows_that_were_not_asked_for_are_found_anew(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text('{"row": 2, "reason": "x"}\n{"row": 9, "reason": "y"}\n{"row": 11, "re')
    rejected = RejectedRows(path, Terminal(path, io.StringIO(), io.StringIO()), resume=True)
    assert [rejected.is_known(number) for number in (1, 2, 3)] == [False, True, False]
    rejected.forget_later_rows()
    rejected.close()
    assert path.read_text() == '{"row": 2, "reason": "x"}\n'
    assert rejected.count == 1


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard: tests that a shell started in the background ignore it, and so would a process of theirs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interruption_loses_no_row(papers: Command, tmp_path: Path, end: signal.Signals, status: int) -> None:
    source, target = write_csv(tmp_path / "in.csv", MANY * 20), tmp_path / "out.csv"
    command = [sys.executable, "-m", "cli", "classify", "--format", "csv", "-o", str(target)]
    process = subprocess.Popen(
        [*command, "--artefacts", str(papers.artefacts)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(source.read_bytes())
    process.stdin.flush()
    # The input stays open, so the run waits for more of it.
    until = time.monotonic() + 30
    while not target.exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(end)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, b"Traceback" in said) == (status, False)
    assert (b"use --resume" in said) == (end == signal.SIGINT)
    assert papers("classify", source, "-o", target, "--resume").status == 1
    papers("classify", source, "-o", tmp_path / "whole.csv")
    assert target.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def _rejected(path: Path) -> Path:
    return path.with_name(path.name + ".errors.jsonl")
