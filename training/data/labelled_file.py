"""A file of labelled papers: its labels, and its papers one by one as they are read."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from training.config import DataConfig
from training.data.column_roles import ColumnChoice
from training.data.flags import EXPECTED, read_flag
from training.data.paper_file import PaperFile, PaperRow, text_of
from training.data.papers import LabelledPaper
from training.errors import DataError


class LabelledFile:
    """Labels come from a column `categories` if there is a table [data.categories], else from columns of 0 and 1.

    Raises DataError if the file lacks a label, or has a column `categories` and the configuration names neither labels
    nor categories; and the errors of PaperFile.
    """

    def __init__(self, path: Path, config: DataConfig, auxiliary_column: str | None = None) -> None:
        self._file = PaperFile(path, ColumnChoice(config.title_column, config.abstract_column))
        self._config = config
        self._auxiliary = auxiliary_column
        self.labels = self._find_labels()

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._file.path

    @property
    def has_categories(self) -> bool:
        """Whether labels come from a column `categories`."""
        return self._file.columns.categories is not None and bool(self._config.categories)

    def __iter__(self) -> Iterator[LabelledPaper]:
        labels_of = self._from_categories() if self.has_categories else self._from_flags
        # Few distinct sets of labels occur; sharing them keeps a file of millions small.
        shared: dict[frozenset[str], frozenset[str]] = {}
        for row in self._file:
            labels = labels_of(row)
            labels = shared.setdefault(labels, labels)
            yield LabelledPaper(row.paper, labels, row.date, self._categories(row), row.id, row.number)

    def _find_labels(self) -> tuple[str, ...]:
        if self.has_categories:
            return tuple(self._config.categories or ())
        there = ", ".join(self._file.first_names)
        if self._config.labels is None:
            if self._file.columns.categories is not None:
                raise DataError(
                    f"{self.path}: has a column 'categories'; say in [data.categories] which label each archive means, "
                    "or name the label columns in `data.labels` if they are others"
                )
            labels = self._file.label_columns()
            if not labels:
                raise DataError(f"{self.path}: has no label columns; expected 0/1 columns beside {there}")
            return labels
        unknown = set(self._config.labels) - set(self._file.first_names)
        if unknown and (missing := sorted(unknown - set(self._file.names))):
            raise DataError(f"{self.path}: has no label column {missing[0]!r}; its columns are {there}")
        return self._config.labels

    def _from_flags(self, row: PaperRow) -> frozenset[str]:
        return frozenset(label for label in self.labels if self._is_set(row, label))

    def _is_set(self, row: PaperRow, label: str) -> bool:
        value = row.cells.get(label)
        flag = read_flag(value)
        if flag == "blank":
            if self._config.blank_is_negative:
                return False
            raise DataError(
                f"{self.path}, row {row.number}, column {label!r}: is blank, expected 0 or 1; "
                "if blank means 0, say so: blank_is_negative = true in [data], or --blank-is-negative"
            )
        if flag is None:
            raise DataError(f"{self.path}, row {row.number}, column {label!r}: holds {value!r}, {EXPECTED}")
        return flag

    def _from_categories(self) -> Callable[[PaperRow], frozenset[str]]:
        column, table = self._file.columns.categories, _labels_by_category(self._config.categories or {})

        @cache
        def labels(categories: str) -> frozenset[str]:
            # A label may list "cs.LG" itself, or its archive "cs".
            names = (name for category in categories.split() for name in (category, category.partition(".")[0]))
            return frozenset(label for name in names for label in table.get(name, ()))

        return lambda row: labels(text_of(row.cells, column))

    def _categories(self, row: PaperRow) -> frozenset[str] | None:
        if self._auxiliary is None or self._auxiliary not in row.cells:
            return None
        return frozenset(text_of(row.cells, self._auxiliary).split())


def _labels_by_category(categories: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The labels that each category or archive stands for."""
    found: dict[str, tuple[str, ...]] = {}
    for label, names in categories.items():
        for name in names:
            found[name] = (*found.get(name, ()), label)
    return found
