"""A table through a labeller: rows in, the same rows with labels out, bad ones kept apart, in order."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import NamedTuple

from cli.errors import CliError
from cli.faults import Faults
from cli.kept import Kept
from cli.labellers import Labeller, Outcome, Refusal, Verdict
from cli.progress import Progress
from cli.sinks import Sink
from cli.stream import chunks, in_order
from cli.table import Addition, TextColumns
from model_store.papers import Paper
from tables import BadRow, Row


class Tally(NamedTuple):
    """What a run came to, an interrupted one before it included; `statuses` are of the new rows alone."""

    labelled: int
    bad: int
    statuses: Counter[str]


class Job:
    """One run over one table; memory does not grow with the table."""

    def __init__(
        self, labeller: Labeller, threads: int, columns: TextColumns, addition: Addition, sink: Sink, faults: Faults
    ) -> None:
        self._labeller = labeller
        self._threads = threads
        self._columns = columns
        self._addition = addition
        self._sink = sink
        self._faults = faults

    def run(self, rows: Iterable[Row | BadRow], kept: Kept, progress: Progress) -> Tally:
        """Label all rows after those that are kept; raises CliError where going on makes no sense."""
        statuses: Counter[str] = Counter()
        self._addition.check_maker(kept.last or {})
        work = chunks(self._left(rows, kept), self._labeller.at_once)
        with closing(in_order(self._judge, work, self._threads)) as judged:
            for row, outcome in chain.from_iterable(judged):
                statuses.update(self._written(row, outcome))
                progress.step(self._faults.count)
        return Tally(kept.rows + statuses.total(), self._faults.count, statuses)

    def _left(self, rows: Iterable[Row | BadRow], kept: Kept) -> Iterator[Row | BadRow]:
        """The rows that no earlier run has dealt with."""
        rest = self._begun(rows)
        row: Row | BadRow | None = None
        for _ in range(kept.rows):
            row = next((row for row in rest if not self._faults.known(row.number)), None)
            if row is None:
                raise CliError(f"the output has {kept.rows} rows, the input fewer; was it made from another table?")
        if row is not None:
            self._compare(row, kept)
        self._faults.settle()
        yield from rest

    def _begun(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        begun = False
        for row in rows:
            if not begun and isinstance(row, Row):
                begun = True
                self._columns.check(row.cells)
                self._addition.check(row.cells)
                self._sink.begin([*row.cells, *self._addition.columns])
            yield row

    def _compare(self, row: Row | BadRow, kept: Kept) -> None:
        written = kept.last or {}
        same = isinstance(row, Row) and self._sink.same(written, row.cells)
        if not same or not written.keys() >= set(self._addition.columns):
            raise CliError(
                f"the output ends with a row that is not row {row.number} of the input with this run's labels; "
                "was it made from another table?"
            )

    def _judge(self, rows: list[Row | BadRow]) -> list[tuple[Row | BadRow, Outcome]]:
        readings = [self._read(row) for row in rows]
        outcomes = iter(self._labeller([reading for reading in readings if isinstance(reading, Paper)]))
        return [
            (row, next(outcomes) if isinstance(reading, Paper) else reading)
            for row, reading in zip(rows, readings, strict=True)
        ]

    def _read(self, row: Row | BadRow) -> Paper | Refusal:
        if isinstance(row, BadRow):
            return Refusal(row.reason if row.column is None else f"column {row.column!r} {row.reason}")
        if any(column in row.cells for column in self._addition.columns):
            return Refusal("has a column of a name that is added here")
        return self._columns.paper(row.cells)

    def _written(self, row: Row | BadRow, outcome: Outcome) -> list[str]:
        """The status of the row, none if it was not written; its fault is in its file before any later row is here."""
        if isinstance(outcome, Verdict) and isinstance(row, Row):
            outcome = self._sink.write({**row.cells, **self._addition.cells(outcome)}) or outcome
        if isinstance(outcome, Verdict):
            return [outcome.status]
        self._faults.report(row.number, outcome.reason)
        return []
