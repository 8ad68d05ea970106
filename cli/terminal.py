"""Standard input and outputs of a command, passed as an argument so that tests can supply their own."""

import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple, TextIO

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Terminal(NamedTuple):
    """Standard input (as a path, since readers of rows open one), output and error."""

    stdin: Path
    out: TextIO
    err: TextIO

    @classmethod
    def standard(cls) -> "Terminal":
        """The standard streams of this process."""
        return cls(Path("/dev/stdin"), sys.stdout, sys.stderr)

    @property
    def idle(self) -> bool:
        """Whether standard input is a keyboard, so that nothing is piped in."""
        return self.stdin.exists() and self.stdin.is_char_device()

    def say(self, line: str) -> None:
        """Write one line to standard output."""
        self.out.write(printable(line) + "\n")

    def warn(self, line: str) -> None:
        """Write one line to standard error."""
        self.err.write(printable(line) + "\n")


def printable(text: str) -> str:
    """The text without control characters and marks of the writing direction.

    Labels, versions and messages of a service are shown on a terminal and must not move its cursor.
    """
    return "".join(letter if letter in "\n\t" or not _is_control(letter) else "\ufffd" for letter in text)


def _is_control(letter: str) -> bool:
    # Controls, surrogates, direction marks.
    return unicodedata.category(letter) in ("Cc", "Cs") or letter in _DIRECTIONS
