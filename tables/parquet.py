"""Parquet files as rows; needs pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tables.errors import TableError
from tables.rows import BadRow, Row

# Rows that are in memory at once.
_BATCH = 1024


class ParquetReader:
    """The rows of a parquet file; `columns` are known at once, before any row is read."""

    def __init__(self, path: Path) -> None:
        """Raises TableError without pyarrow, or if this is not a parquet file."""
        self._arrow = import_pyarrow(f"{path}: reading parquet")
        self._path = path
        try:
            self._file = self._arrow.parquet.ParquetFile(path)
        except self._arrow.ArrowException as error:
            raise self._unreadable(error) from None
        self.columns: list[str] = self._file.schema_arrow.names
        if len(set(self.columns)) < len(self.columns):
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            raise TableError(f"{path}: several columns are named {twice!r}; expected each name once")

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows, a few of them in memory at a time; binary cells that are UTF-8 become text."""
        number, types = 0, self._arrow.types
        # Binary columns of a fixed size hold digests or the like.
        kinds = types.is_binary, types.is_large_binary, types.is_binary_view
        binary = [field.name for field in self._file.schema_arrow if any(kind(_value_type(field)) for kind in kinds)]
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH):
                for values in zip(*map(self._values, batch.columns), strict=True):
                    number += 1
                    cells = dict(zip(self.columns, values, strict=True))
                    yield Row(number, {**cells, **{name: as_text(cells[name]) for name in binary}})
        except self._arrow.ArrowException as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _values(self, column: Any) -> list[object]:
        """The values of a column as Python objects; times out of Python's range, such as the year 20000, as text."""
        column = self._converted(column)
        try:
            values: list[object] = column.to_pylist()
        except (ValueError, OverflowError):
            return self._texts(column)
        return values

    def _texts(self, column: Any) -> list[object]:
        """The values of a column, or of the lists in it, as text."""
        pa, is_list = self._arrow, hasattr(column.type, "value_type")
        type_ = pa.list_(pa.string()) if is_list else pa.string()
        texts: list[object] = column.cast(type_).to_pylist()
        return texts

    def _converted(self, column: Any) -> Any:
        pa, types = self._arrow, self._arrow.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if getattr(column.type, "unit", None) == "ns":
            # Python's datetime has no nanoseconds.
            if types.is_timestamp(column.type):
                coarser = pa.timestamp("us", column.type.tz)
            else:
                coarser = pa.time64("us") if types.is_time(column.type) else pa.duration("us")
            return column.cast(coarser, safe=False)
        return column

    def _unreadable(self, error: Exception) -> TableError:
        reason = str(error).partition("\n")[0]
        return TableError(f"{self._path} cannot be read: {reason}")


def as_text(cell: object) -> object:
    """Bytes that are UTF-8 as text; anything else as it is."""
    if not isinstance(cell, bytes):
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell


def _value_type(field: Any) -> Any:
    return getattr(field.type, "value_type", field.type)


def import_pyarrow(what: str) -> Any:
    """The module with its parquet part; raises TableError that says what needs it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TableError(
            f"{what} needs pyarrow: pip install pyarrow, which is in the extra `tables`, or use .csv or .jsonl"
        ) from None
    return pyarrow
