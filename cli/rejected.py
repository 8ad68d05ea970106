"""The rows that got no label: their numbers and the reasons, in a file beside the output. Never holds a text."""

import json
import os
from pathlib import Path
from typing import TextIO

from cli.errors import CliError
from cli.terminal import Terminal


class RejectedRows:
    """Writes the rejected rows of a run, and recognizes those of the interrupted run that it continues.

    They are written in the order of the input, and each before any later row of the output. So the file is complete up
    to the last row of the output; later ones are rejected again.
    """

    def __init__(self, path: Path | None, terminal: Terminal, *, resume: bool = False) -> None:
        """Without a path they are written to the terminal; without `resume`, none are known.

        Raises CliError if `resume` finds a file that this command does not write.
        """
        self.path = path
        self.count = 0
        self._terminal = terminal
        self._complete = _complete_end(path) if resume and path and path.exists() else 0
        self._known = path.open("rb") if path and self._complete else None
        self._file: TextIO | None = None
        self._line = b""
        self._end = 0
        self._advance()

    def is_known(self, number: int) -> bool:
        """Whether this row was reported before; called in the order of the rows, so that nothing is kept in memory."""
        if not self._line or json.loads(self._line)["row"] != number:
            return False
        self.count += 1
        self._end += len(self._line)
        self._advance()
        return True

    def forget_later_rows(self) -> None:
        """Remove the records of rows after the last one that `is_known` was called for."""
        if self.path is None:
            return
        if self._end:
            os.truncate(self.path, self._end)
        else:
            self.path.unlink(missing_ok=True)

    def report(self, number: int, reason: str, line: int | None = None) -> None:
        """This row got no label; `line` is where it begins in the input."""
        self.count += 1
        if self.path is None:
            self._terminal.warn(f"row {number}: {reason}" + (f" (line {line})" if line else ""))
            return
        # Created with the first one: without rejected rows there is no file.
        self._file = self._file or self.path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
        record = {"row": number, "reason": reason} | ({"line": line} if line else {})
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        for file in (self._known, self._file):
            if file is not None:
                file.close()

    def _advance(self) -> None:
        if self._known is not None:
            self._line = self._known.readline() if self._known.tell() < self._complete else b""


def _complete_end(path: Path) -> int:
    """Where the last complete line ends; CliError if one of them was not written by this command."""
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            if not _is_record(line):
                raise CliError(f"{path}, line {number}: this command writes no such line; move the file away")
            end += len(line)
        else:
            return end
    if not end and not b'{"row": '.startswith(line[:8]):
        raise CliError(f"{path} was not written by this command; move the file away")
    return end


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and isinstance(record.get("row"), int) and "reason" in record
