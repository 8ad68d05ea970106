"""What a command reads from and writes to, besides files; an argument, so that tests have their own."""

import sys
from pathlib import Path
from typing import NamedTuple, TextIO


class Terminal(NamedTuple):
    """Standard input (as a path, since readers of rows open one), output and error."""

    stdin: Path
    out: TextIO
    err: TextIO

    @classmethod
    def standard(cls) -> "Terminal":
        """Of this process."""
        return cls(Path("/dev/stdin"), sys.stdout, sys.stderr)

    @property
    def idle(self) -> bool:
        """Whether standard input is a keyboard: nothing is piped in."""
        return self.stdin.exists() and self.stdin.is_char_device()

    def say(self, line: str) -> None:
        """One line of the answer."""
        self.out.write(line + "\n")

    def warn(self, line: str) -> None:
        """One line beside the answer."""
        self.err.write(line + "\n")
