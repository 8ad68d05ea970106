"""Runs the command line in this process, and writes and reads tables for it."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cli.__main__ import main
from cli.terminal import Terminal

LABELS = ("Computer Science", "Physics", "Mathematics")
ADDED = ("labels", "status", *LABELS, "model")
ROWS = [
    {"ID": "1", "TITLE": "quantum star", "ABSTRACT": "a\nparticle, we"},
    {"ID": "2", "TITLE": "a proof", "ABSTRACT": "algebra"},
    {"ID": "3", "TITLE": "software algorithm", "ABSTRACT": ""},
]


class FakeTerminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


class CommandResult(NamedTuple):
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


class Command(NamedTuple):
    """The command line with an artefact."""

    artefacts: Path

    def __call__(
        self, command: str, *args: object, stdin: Path = Path("/dev/null"), on_terminal: bool = False
    ) -> CommandResult:
        terminal = Terminal(stdin, io.StringIO(), FakeTerminal() if on_terminal else io.StringIO())
        status = main([command, *map(str, args), "--artefacts", str(self.artefacts)], terminal)
        return CommandResult(status, _text(terminal.out), _text(terminal.err))


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _text(stream: Any) -> str:
    text: str = stream.getvalue()
    return text
