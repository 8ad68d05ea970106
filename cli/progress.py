"""Progress of a run, shown on a terminal only, twice a second at most."""

import time
from collections.abc import Callable
from typing import TextIO

_EVERY_S = 0.5


class Progress:
    """Counts papers and rewrites one line."""

    def __init__(
        self, stream: TextIO, total: int | None = None, before: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`before` rows were done by an earlier run."""
        self._stream = stream
        self._before = before
        self._total = total
        self._clock = clock
        self._began = self._written = clock()
        self._shown = stream.isatty()
        self.done = 0

    def step(self, bad: int) -> None:
        """Count one more row; `bad` is the number of rows without labels so far."""
        self.done += 1
        now = self._clock()
        if self._shown and now - self._written >= _EVERY_S:
            self._written = now
            self._stream.write(f"\r{self._line(bad)}\x1b[K")
            self._stream.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.done / max(self._clock() - self._began, 1e-9)

    def _line(self, bad: int) -> str:
        done = self._before + self.done
        line = f"{done:,} papers, {self.rate:.1f}/s, {bad:,} bad"
        if self._total is None:
            return line
        left = max(0, self._total - done) / max(self.rate, 1e-9)
        return f"{done / max(1, self._total):4.0%}  {line}, {_clock_face(left)} left"


def _clock_face(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
