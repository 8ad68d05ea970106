"""The rows that got no label: number and reason, in a file beside the output. Never holds a text."""

import json
import os
from pathlib import Path
from typing import TextIO

from cli.kept import kept_json_lines
from cli.sinks import writer


class Faults:
    """Writes the faults of a run, and knows those of the run before it.

    Faults and rows are written in the order of the input, so the faults up to the last row that
    was written are all there; those after it may not be, and are found again.
    """

    def __init__(self, path: Path | None, beside: TextIO, *, resume: bool = False) -> None:
        """Without a path, faults go to `beside` as lines for people; without `resume`, none are known."""
        self.path = path
        self.count = 0
        self._beside = beside
        self._file: TextIO | None = None
        self._known = path.open("rb") if resume and path and path.exists() and kept_json_lines(path).rows else None
        self._line = b""
        self._end = 0
        self._advance()

    def known(self, number: int) -> bool:
        """Whether this row was reported before; asked in the order of rows, so nothing is held in memory."""
        if not self._line or json.loads(self._line)["row"] != number:
            return False
        self.count += 1
        self._end += len(self._line)
        self._advance()
        return True

    def settle(self) -> None:
        """Forget what was reported of rows beyond those that were asked for."""
        if self.path is not None and self._end:
            os.truncate(self.path, self._end)
        elif self.path is not None:
            self.path.unlink(missing_ok=True)

    def report(self, number: int, reason: str) -> None:
        """This row got no label."""
        self.count += 1
        if self.path is None:
            self._beside.write(f"row {number}: {reason}\n")
            return
        # Made with the first fault: no file, no faults.
        self._file = self._file or writer(self.path, append=True)
        self._file.write(json.dumps({"row": number, "reason": reason}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """No more faults."""
        for file in (self._known, self._file):
            if file is not None:
                file.close()

    def _advance(self) -> None:
        if self._known is not None:
            self._line = self._known.readline()
