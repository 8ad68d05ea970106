"""Interrupted at any byte, a run that is resumed ends with the same files as one that was not."""

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.faults import Faults
from cli.kept import Kept, kept_csv, kept_json_lines
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
    content, faults = whole.read_bytes(), _faults(whole).read_bytes()
    cut.write_bytes(content[: round(share * len(content))])
    # Faults are never behind the rows, but may be ahead of them and torn themselves.
    _faults(cut).write_bytes(faults + b'{"ro')
    assert papers("classify", source, "-o", cut, "--resume").status == 1
    assert cut.read_bytes() == content
    assert _faults(cut).read_bytes() == faults


def test_resuming_what_never_began_is_beginning(papers: Command, tmp_path: Path) -> None:
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
    assert "resume with the model that began (--artefact-version" in ran.err
    assert target.read_bytes() == before
    assert papers("classify", source, "-o", target, "--resume", "--artefact-version", "1.0.0").status == 0
    assert target.read_bytes().startswith(before)
    assert papers("classify", source, "-o", target, "--force").status == 0
    assert b"1.0.0" not in target.read_bytes()


def test_a_marked_csv_opens_in_spreadsheets_and_goes_on_as_well(papers: Command, tmp_path: Path) -> None:
    source, target = write_csv(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    papers("classify", source, "-o", target, "--bom")
    whole = target.read_bytes()
    assert whole.startswith(b"\xef\xbb\xbfID,")
    target.write_bytes(whole[: len(whole) // 2])
    assert papers("classify", source, "-o", target, "--bom", "--resume").status == 0
    assert target.read_bytes() == whole
    assert papers("classify", target, "--prefix", "again_").out.startswith("ID,")


def test_what_was_not_written_here_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"x"y,z\n1,2\n')
    with pytest.raises(CliError, match=r"a\.csv, line 2: no such row"):
        kept_csv(tmp_path / "a.csv")
    for line in ("[1]", "{"):
        (tmp_path / "a.jsonl").write_text(f"{line}\n")
        with pytest.raises(CliError, match=r"a\.jsonl, line 1: no such row"):
            kept_json_lines(tmp_path / "a.jsonl")


def test_a_quote_left_open_is_cut_back_to_the_last_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,"2\n3"\n4,"torn\n')
    assert kept_csv(tmp_path / "a.csv") == Kept(1, {"a": "1", "b": "2\n3"}, ["a", "b"])
    assert (tmp_path / "a.csv").read_text() == 'a,b\n1,"2\n3"\n'


def test_faults_of_rows_that_were_not_asked_for_are_found_anew(tmp_path: Path) -> None:
    (tmp_path / "f").write_text('{"row": 2, "reason": "x"}\n{"row": 9, "reason": "y"}\n{"row": 11, "re')
    faults = Faults(tmp_path / "f", io.StringIO(), resume=True)
    assert [faults.known(number) for number in (1, 2, 3)] == [False, True, False]
    faults.settle()
    faults.close()
    assert (tmp_path / "f").read_text() == '{"row": 2, "reason": "x"}\n'
    assert faults.count == 1


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard: tests that a shell started in the background ignore it, and so would a process of theirs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_no_loss(papers: Command, tmp_path: Path) -> None:
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
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, b"goes on with --resume" in said, b"Traceback" in said) == (130, True, False)
    assert papers("classify", source, "-o", target, "--resume").status == 1
    papers("classify", source, "-o", tmp_path / "whole.csv")
    assert target.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def _faults(path: Path) -> Path:
    return path.with_name(path.name + ".errors.jsonl")
