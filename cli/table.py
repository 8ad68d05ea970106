"""Columns: where a row keeps its title and abstract, and what is added to it. Knows no file formats."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cli.errors import CliError
from cli.labellers import Refusal, Verdict
from model_store.papers import Paper

Cells = dict[str, object]

_LONGEST_NAME = 40


class TextColumns(NamedTuple):
    """The names of the columns with the texts, or None to find `title` and `abstract` in any case."""

    title: str | None = None
    abstract: str | None = None

    def check(self, cells: Mapping[str, object]) -> None:
        """Raise CliError if the first row has not the columns; a table without them is refused as a whole."""
        wanted = [name for name in self if name is not None and name not in cells]
        if wanted or not any(_find(cells, given, name) for given, name in zip(self, self._fields, strict=True)):
            # A table without a header would show its first paper here, so names are cut.
            there = ", ".join(repr(name[:_LONGEST_NAME]) for name in cells)
            raise CliError(
                f"no column {' or '.join(map(repr, wanted or self._fields))}; there are {there}. "
                "Name them with --title-column and --abstract-column"
            )

    def paper(self, cells: Mapping[str, object]) -> Paper | Refusal:
        """The paper of a row."""
        texts = {}
        for given, name in zip(self, self._fields, strict=True):
            column = _find(cells, given, name)
            cell = cells[column] if column is not None else None
            if not isinstance(cell, str | None):
                return Refusal(f"the {name} is a {type(cell).__name__}, expected text")
            texts[name] = cell or ""
        return Paper(**texts)


class Addition:
    """The columns that are added: `labels`, `status`, a probability per label, `model`, each with a prefix.

    `model` says in every row what made it, so that rows of two models are told apart also after
    tables were cut and joined, and a run is not resumed with another one.
    """

    def __init__(self, labels: Sequence[str], model: str, prefix: str = "") -> None:
        self.labels = f"{prefix}labels"
        self.status = f"{prefix}status"
        self.model = f"{prefix}model"
        taken = {self.labels, self.status, self.model}
        self.probabilities = [
            name if (name := prefix + label) not in taken else f"{name} probability" for label in labels
        ]
        self.columns = [self.labels, self.status, *self.probabilities, self.model]
        self._made_by = model

    def check(self, cells: Mapping[str, object]) -> None:
        """Raise CliError if a row of the input has one of these already: nothing is overwritten."""
        if clash := next((column for column in self.columns if column in cells), None):
            raise CliError(
                f"the input has a column {clash!r} already; name the new ones apart, e.g. --prefix predicted_"
            )

    def check_maker(self, written: Mapping[str, object]) -> None:
        """Raise CliError if a row that an earlier run wrote was made by another model."""
        if (maker := written.get(self.model, self._made_by)) != self._made_by:
            raise CliError(
                f"the rows that are there were made by {maker!r}, this run would add rows of {self._made_by!r}; "
                "resume with the model that began (--artefact-version, or the service that has it), "
                "make all rows anew with --force, or name another output"
            )

    def cells(self, verdict: Verdict) -> Cells:
        """The new cells of one row."""
        scores = dict(zip(self.probabilities, verdict.probabilities, strict=True))
        return {self.labels: verdict.labels, self.status: verdict.status, **scores, self.model: self._made_by}


def _find(cells: Mapping[str, object], given: str | None, name: str) -> str | None:
    if given is not None:
        return given if given in cells else None
    return next((column for column in cells if column.strip().lower() == name), None)
