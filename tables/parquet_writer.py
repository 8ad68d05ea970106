"""Writing rows as parquet, in row groups, to a file beside the target that is renamed when it is complete."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tables.errors import TableError
from tables.parquet import import_pyarrow
from tables.rows import Cells

_ROW_GROUP = 2000


class ParquetWriter:
    """Writes row groups of two thousand; types are those of a parquet input or inferred from the first group."""

    def __init__(self, path: Path, types: Mapping[str, str], source: Path | None = None) -> None:
        """`types` are those of added columns: "texts", "text" or "score"; `source` is the input if it is parquet.

        Raises TableError without pyarrow.
        """
        self._arrow: Any = import_pyarrow(f"{path}: writing parquet")
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._added = types
        self._source = source
        self._columns: list[str] = []
        self._group: list[Cells] = []
        self._rows = 0
        self._writer: Any = None

    def begin(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)

    def write(self, cells: Cells) -> str | None:
        self._group.append(cells)
        if len(self._group) == _ROW_GROUP:
            self._flush()
        return None

    def is_same(self, written: Mapping[str, object], cells: Mapping[str, object]) -> bool:
        """Never called, since a parquet file is not resumed."""
        return False

    def close(self, *, complete: bool) -> None:
        whole = False
        try:
            if complete:
                self._flush()
                whole = self._writer is not None
        finally:
            if self._writer is not None:
                self._writer.close()
                self._part.replace(self._path) if whole else self._part.unlink()

    def _flush(self) -> None:
        if self._writer is None and self._group:
            self._writer = self._arrow.parquet.ParquetWriter(self._part, self._schema())
        if self._group:
            self._writer.write_table(self._table(self._writer.schema))
        self._rows += len(self._group)
        self._group = []

    def _table(self, schema: Any) -> Any:
        unknown = {column for cells in self._group for column in cells} - set(schema.names)
        try:
            if not unknown:
                return self._arrow.Table.from_pylist(self._group, schema=schema)
        except (self._arrow.ArrowException, OverflowError, TypeError, ValueError):
            # Its message quotes the value that does not fit, which may be part of a paper.
            pass
        rows = f"rows {self._rows + 1} to {self._rows + len(self._group)} of the output"
        raise TableError(f"{rows} do not fit the columns and types of the first ones; JSON lines would take them")

    def _schema(self) -> Any:
        pa = self._arrow
        kinds = {"texts": pa.list_(pa.string()), "text": pa.string(), "score": pa.float32()}
        columns = self._columns or list(self._group[0])
        own = [column for column in columns if column not in self._added]
        given = pa.parquet.read_schema(self._source) if self._source else self._inferred(own)
        added = [pa.field(column, kinds[kind]) for column, kind in self._added.items()]
        return pa.schema([given.field(column) for column in own] + added)

    def _inferred(self, columns: list[str]) -> Any:
        pa = self._arrow
        rows = [{column: cells.get(column) for column in columns} for cells in self._group]
        try:
            schema = pa.Table.from_pylist(rows, schema=None).schema
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            raise TableError("a column holds values of different types; JSON lines would take them") from None
        # A column without a single value in the first group is most likely text.
        return pa.schema([field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in schema])
