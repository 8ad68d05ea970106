"""Labels the rows of a table in their order; rejected rows are written to a file of their own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import NamedTuple

from cli.added_columns import AddedColumns
from cli.errors import CliError
from cli.labellers import Labeller, Prediction, Refusal, Result
from cli.parallel import chunks, in_order
from cli.progress import Progress
from cli.rejected import RejectedRows
from cli.text_columns import TextColumns
from model_store.papers import Paper
from tables import BadRow, Row
from tables.earlier import Earlier
from tables.writers import Writer


class Tally(NamedTuple):
    """How many rows were labelled and rejected, including those of an interrupted run.

    `statuses`, and `title_only` for papers of which no abstract was read, are of the new rows alone.
    """

    labelled: int
    bad: int
    statuses: Counter[str]
    title_only: int


class Labelling:
    """One run over one table; memory does not grow with the table."""

    def __init__(
        self, labeller: Labeller, threads: int, columns: TextColumns, added: AddedColumns, writer: Writer,
        rejected: RejectedRows,
    ) -> None:  # fmt: skip
        self._labeller = labeller
        self._threads = threads
        self._columns = columns
        self._added = added
        self._writer = writer
        self._rejected = rejected

    def run(self, rows: Iterable[Row | BadRow], columns: Sequence[str], earlier: Earlier, progress: Progress) -> Tally:
        """Label all rows after those of an earlier run; raises CliError if the run cannot continue.

        No file is touched before it is known that the earlier rows are of this table and this model.
        """
        statuses: Counter[str] = Counter()
        title_only = 0
        self._writer.begin([*columns, *self._added.columns])
        self._added.check_maker(earlier.last or {})
        work = chunks(self._remaining(rows, earlier), self._labeller.at_once)
        with closing(in_order(self._label, work, self._threads)) as labelled:
            for row, result in chain.from_iterable(labelled):
                if prediction := self._written(row, result):
                    statuses[prediction.status] += 1
                    title_only += prediction.title_only
                progress.step(self._rejected.count)
        return Tally(earlier.rows + statuses.total(), self._rejected.count, statuses, title_only)

    def _remaining(self, rows: Iterable[Row | BadRow], earlier: Earlier) -> Iterator[Row | BadRow]:
        """The rows that no earlier run has processed."""
        rest = iter(rows)
        row: Row | BadRow | None = None
        for _ in range(earlier.rows):
            row = next((row for row in rest if not self._rejected.is_known(row.number)), None)
            if row is None:
                raise CliError(f"the output has {earlier.rows} rows, the input fewer; was it made from another table?")
        if row is not None:
            self._compare(row, earlier)
        self._rejected.forget_later_rows()
        yield from rest

    def _compare(self, row: Row | BadRow, earlier: Earlier) -> None:
        written = earlier.last or {}
        same = isinstance(row, Row) and self._writer.is_same(written, row.cells)
        if not same or not written.keys() >= set(self._added.columns):
            raise CliError(
                f"the output ends with a row that is not row {row.number} of the input with this run's labels; "
                "was it made from another table?"
            )

    def _label(self, rows: list[Row | BadRow]) -> list[tuple[Row | BadRow, Result]]:
        papers = [self._paper(row) for row in rows]
        results = iter(self._labeller([paper for paper in papers if isinstance(paper, Paper)]))
        return [
            (row, next(results) if isinstance(paper, Paper) else paper) for row, paper in zip(rows, papers, strict=True)
        ]

    def _paper(self, row: Row | BadRow) -> Paper | Refusal:
        if isinstance(row, BadRow):
            return Refusal(row.reason if row.column is None else f"column {row.column!r} {row.reason}")
        if any(column in row.cells for column in self._added.columns):
            return Refusal("has a column with the name of an added one")
        return self._columns.paper(row.cells)

    def _written(self, row: Row | BadRow, result: Result) -> Prediction | None:
        """The prediction if the row was written; otherwise it is recorded as rejected, before any later row."""
        if isinstance(result, Prediction) and isinstance(row, Row):
            reason = self._writer.write({**row.cells, **self._added.cells(result)})
            if reason is None:
                return result
            result = Refusal(reason)
        if isinstance(result, Refusal):
            self._rejected.report(row.number, result.reason, row.line)
        return None
