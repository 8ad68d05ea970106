"""Where rows go: parquet, in row groups beside the target, renamed when complete. Needs pyarrow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.errors import CliError
from cli.labellers import Refusal
from cli.table import Addition, Cells

_ROW_GROUP = 2000


class ParquetSink:
    """Row groups of two thousand; types are those of a parquet input, otherwise told by the first group."""

    def __init__(self, path: Path, addition: Addition, source: Path | None) -> None:
        """`source` is the input if that is parquet too; raises CliError without pyarrow."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise CliError(
                "parquet needs pyarrow: pip install pyarrow, which is the extra `tables`, or use .csv or .jsonl"
            ) from None
        self._arrow: Any = pyarrow
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._addition = addition
        self._source = source
        self._group: list[Cells] = []
        self._rows = 0
        self._writer: Any = None

    def begin(self, columns: Sequence[str]) -> None:
        """The first row group tells the columns and their types."""

    def write(self, cells: Cells) -> Refusal | None:
        self._group.append(cells)
        if len(self._group) == _ROW_GROUP:
            self._flush()
        return None

    def same(self, written: Cells, cells: Cells) -> bool:
        """Never asked: a parquet file is not resumed."""
        return False

    def close(self, complete: bool) -> None:
        whole = False
        try:
            if complete:
                self._flush()
                whole = self._writer is not None
        finally:
            if self._writer is not None:
                self._writer.close()
            if whole:
                self._part.replace(self._path)
            else:
                self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._writer is None and self._group:
            self._writer = self._arrow.parquet.ParquetWriter(self._part, self._schema())
        if self._group:
            self._writer.write_table(self._table(self._writer.schema))
        self._rows += len(self._group)
        self._group = []

    def _table(self, schema: Any) -> Any:
        strange = {column for cells in self._group for column in cells} - set(schema.names)
        try:
            if not strange:
                return self._arrow.Table.from_pylist(self._group, schema=schema)
        except (self._arrow.ArrowException, OverflowError):
            # Its message quotes the value that does not fit, which may be somebody's text.
            pass
        rows = f"rows {self._rows + 1} to {self._rows + len(self._group)} of the output"
        raise CliError(f"{rows} do not fit the columns and types of the first ones; JSON lines would take them")

    def _schema(self) -> Any:
        pa = self._arrow
        own = [column for column in self._group[0] if column not in self._addition.columns]
        given = pa.parquet.read_schema(self._source) if self._source else self._told(own)
        added = [(self._addition.labels, pa.list_(pa.string())), (self._addition.status, pa.string())]
        added += [(column, pa.float32()) for column in self._addition.probabilities]
        added += [(self._addition.model, pa.string())]
        return pa.schema([given.field(column) for column in own] + [pa.field(*field) for field in added])

    def _told(self, columns: list[str]) -> Any:
        pa = self._arrow
        rows = [{column: cells.get(column) for column in columns} for cells in self._group]
        try:
            told = pa.Table.from_pylist(rows).schema
        except (pa.ArrowException, OverflowError):
            raise CliError("a column holds values of different types; JSON lines would take them") from None
        # A column without a single value in the first group is most likely text.
        return pa.schema([field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in told])
