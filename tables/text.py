"""Opening a text file: compression, byte-order marks, UTF-16 without one, and lines of bounded length."""

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tables.errors import TableError
from tables.signatures import GZIP, foreign_content

UTF8 = "utf-8"
# Abstracts are a few kB; a full text is a few hundred. Longer lines are no tables, or an attempt to exhaust memory.
LONGEST_LINE = 16 * 1024 * 1024
_SAMPLE = 64 * 1024
# UTF-32 comes first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Line(NamedTuple):
    """A line with its terminator; `text` is None if it is longer than `LONGEST_LINE`."""

    number: int
    text: str | None


class TextFile:
    """A text file that has been opened, and a sample of its beginning.

    Undecodable bytes become lone surrogates (`surrogateescape`), so that a reader can name row and column.
    """

    def __init__(self, path: Path, encoding: str = UTF8) -> None:
        """`encoding` is a name that Python knows; a byte-order mark takes precedence over it."""
        self.path = path
        self._bytes = _decompressed(path)
        try:
            self.encoding, self.sample = self._begin(encoding)
        except BaseException:
            self._bytes.close()
            raise

    def _begin(self, encoding: str) -> tuple[str, str]:
        """Encoding and sample; byte-order marks are skipped, also where there are two."""
        # One peek is one read: a pipe that is still being written to does not block here.
        beginning = self._bytes.peek(_SAMPLE)[:_SAMPLE]
        if reason := foreign_content(beginning):
            raise TableError(f"{self.path} {reason}")
        encoding, mark = _encoding_of(beginning, encoding)
        while mark and beginning.startswith(mark):
            self._bytes.read(len(mark))
            beginning = beginning[len(mark) :]
        return encoding, _without_incomplete_end(beginning.decode(encoding, errors="ignore"))

    def lines(self, terminator: str = "") -> Iterator[Line]:
        """The lines, which end with `terminator`; empty: with any of the three usual ones."""
        with self.stream(terminator) as file:
            number = 0
            while text := file.readline(LONGEST_LINE):
                number += 1
                if len(text) < LONGEST_LINE:
                    yield Line(number, text)
                else:
                    _skip_line(file, text)
                    yield Line(number, None)

    def stream(self, terminator: str = "") -> io.TextIOWrapper:
        """The whole text as a stream; its lines end with `terminator`."""
        return io.TextIOWrapper(self._bytes, self.encoding, errors="surrogateescape", newline=terminator)

    def close(self) -> None:
        """Close the file; reading its lines to the end does the same."""
        self._bytes.close()


class _GzipFile(gzip.GzipFile):
    """Closes the underlying file, too."""

    def __init__(self, below: "io.BufferedReader[io.FileIO]") -> None:
        self._below = below
        super().__init__(fileobj=below)

    def close(self) -> None:
        super().close()
        self._below.close()


def _decompressed(path: Path) -> "io.BufferedReader[io.FileIO] | gzip.GzipFile":
    file = io.BufferedReader(io.FileIO(path), _SAMPLE)
    if path.name.lower().endswith(".gz") or file.peek(len(GZIP)).startswith(GZIP):
        return _GzipFile(file)
    return file


def _encoding_of(beginning: bytes, encoding: str) -> tuple[str, bytes]:
    """The encoding, and the byte-order mark if there is one."""
    for mark, codec in _MARKS:
        if beginning.startswith(mark):
            return codec, mark
    return _utf16_without_mark(beginning) or encoding, b""


def _utf16_without_mark(beginning: bytes) -> str | None:
    """The UTF-16 encoding of a file without a mark, or None.

    Column names are mostly ASCII, where every second byte is NUL in UTF-16; otherwise their line end shows it.
    """
    # NUL characters at the end may fill a file after a power failure.
    head = beginning[:512].rstrip(b"\0")
    even, odd = head[::2].count(0), head[1::2].count(0)
    codec = "utf-16-le" if odd > even else "utf-16-be"
    if not head or not max(even, odd):
        return None
    is_ascii = max(even, odd) * 4 >= len(head)
    return codec if is_ascii or (not min(even, odd) and _has_utf16_lines(beginning, codec)) else None


def _has_utf16_lines(beginning: bytes, codec: str) -> bool:
    """Whether a text of other letters than ASCII is UTF-16, by its first line end, and is not UTF-8."""
    try:
        codecs.getincrementaldecoder(UTF8)().decode(beginning)
    except UnicodeDecodeError:
        return "\n" in beginning[: len(beginning) // 2 * 2].decode(codec, errors="ignore")
    return False


def _without_incomplete_end(sample: str) -> str:
    cut = max(sample.rfind("\n"), sample.rfind("\r"))
    return sample if len(sample) < _SAMPLE // 4 or cut < 0 else sample[: cut + 1]


def _skip_line(file: io.TextIOWrapper, text: str) -> None:
    while text and not text.endswith(("\n", "\r")):
        text = file.readline(LONGEST_LINE)
