"""Memory and order: what is read ahead is bounded, whatever the table's length."""

import random
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from cli.added_columns import AddedColumns
from cli.labellers import Labels, Prediction, Result
from cli.labelling import Labelling
from cli.parallel import chunks, in_order
from cli.progress import Progress
from cli.rejected import RejectedRows
from cli.terminal import Terminal
from cli.text_columns import TextColumns
from model_store.papers import Paper
from tables import Row
from tables.earlier import Earlier
from tables.writers import JsonLinesWriter, open_rows
from tests.cli.command import FakeTerminal


class Quick:
    """Labels everything alike, at once."""

    labels = Labels(("A",), (None,))
    model = "quick 1.0.0"
    at_once = 8

    def __call__(self, papers: Sequence[Paper]) -> list[Result]:
        return [Prediction(["A"], "ok", [0.5]) for _ in papers]


def test_results_keep_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(random.random() / 500)
        return item

    assert list(in_order(work, range(50), 4)) == list(range(50))


def test_at_most_twice_as_many_items_as_threads_are_in_flight() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1_000_000):
            drawn.append(item)
            yield item

    for taken in islice(in_order(lambda item: item, items(), 3), 100):
        assert len(drawn) - taken <= 2 * 3


def test_a_failure_in_a_thread_ends_the_stream() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> None:
        with lock:
            begun.append(item)
        if item == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        list(in_order(work, range(1000), 2))
    assert len(begun) < 10


def test_thirty_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    few, many = (_peak(tmp_path / str(rows), rows) for rows in (300, 10_000))
    assert many < few + 200_000


def test_chunks_are_drawn_as_they_are_asked_for() -> None:
    drawn = iter(range(10))
    assert next(chunks(drawn, 4)) == [0, 1, 2, 3]
    assert list(drawn) == [4, 5, 6, 7, 8, 9]


def test_progress_shows_the_remaining_time() -> None:
    screen, now = FakeTerminal(), [0.0]
    progress = Progress(screen, total=100, before=50, clock=lambda: now[0])
    for now[0] in (0.1, 2.0):
        progress.step(bad=1)
    assert screen.getvalue().split("\r")[1:] == [" 52%  52 papers, 1.0/s, 1 bad, 0:48 left\x1b[K"]


def _peak(path: Path, rows: int) -> int:
    """Bytes at most in use while so many rows, with bad ones among them, are labelled."""
    text = "word " * 100
    source = (Row(i, {"id": i, "title": text if i % 10 else 5}) for i in range(1, rows + 1))
    rejected = RejectedRows(path.with_suffix(".errors"), Terminal(path, FakeTerminal(), FakeTerminal()))
    writer = JsonLinesWriter(lambda: open_rows(path))
    added = AddedColumns(Quick.labels, Quick.model)
    labelling = Labelling(Quick(), 2, TextColumns(), added, writer, rejected)
    tracemalloc.start()
    try:
        tally = labelling.run(source, ["id", "title"], Earlier(), Progress(FakeTerminal()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        writer.close(complete=True)
        rejected.close()
    assert (tally.labelled, tally.bad) == (rows - rows // 10, rows // 10)
    return peak
