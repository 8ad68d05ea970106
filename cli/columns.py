"""Columns of a table: those that titles and abstracts are read from, and those that are added."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from cli.errors import CliError
from cli.labellers import Labels, Prediction, Refusal
from model_store.papers import Paper
from tables import Cells
from tables.columns import NAMES, Field, cell_text, find_column, likely_columns

Scores = Literal["all", "top", "none"]

# With more labels than this, a column for each is more than anybody reads.
MOST_SCORE_COLUMNS = 20
_LONGEST_NAME = 40


class Wanted(NamedTuple):
    """What a person says of a column: its name, or that there is none; otherwise it is found by its name."""

    name: str | None = None
    absent: bool = False


class TextColumns:
    """The columns that titles and abstracts are read from."""

    def __init__(self, title: Wanted | None = None, abstract: Wanted | None = None) -> None:
        self._wanted: dict[Field, Wanted] = {"title": title or Wanted(), "abstract": abstract or Wanted()}

    def check(self, columns: Sequence[str]) -> list[str]:
        """Lines that say which columns are read, with a warning if only one of the two was found.

        Raises CliError if a table with these columns cannot be read.
        """
        unknown = [wanted.name for wanted in self._wanted.values() if wanted.name and wanted.name not in columns]
        found = {field: self._find(columns, field) for field in NAMES}
        if unknown or not any(found.values()):
            raise CliError(self._refusal(unknown or list(NAMES), columns))
        told = ", ".join(f"{field}s from {_shown(name)}" for field, name in found.items() if name)
        lines = [f"reading {told}"]
        for field, name in found.items():
            if name is None and not self._wanted[field].absent:
                lines.append(
                    f"WARNING: no column of {field}s was found, so papers are labelled without them. The columns are "
                    f"{_listed(columns)}; name the one with --{field}-column, or say --no-{field} if there is none"
                )
        return lines

    def paper(self, cells: Mapping[str, object]) -> Paper | Refusal:
        """The paper of a row."""
        texts = {}
        for field in NAMES:
            column = self._find(cells, field)
            cell = cells.get(column) if column is not None else None
            if isinstance(cell, bytes):
                return Refusal(f"the {field} holds bytes that are not UTF-8")
            if (text := cell_text(cell)) is None:
                return Refusal(f"the {field} is a {type(cell).__name__}, expected text")
            texts[field] = text
        return Paper(texts["title"], texts["abstract"])

    def _find(self, columns: Sequence[str] | Mapping[str, object], field: Field) -> str | None:
        wanted = self._wanted[field]
        if wanted.absent:
            return None
        return wanted.name or find_column(columns, field)

    def _refusal(self, missing: Sequence[str], columns: Sequence[str]) -> str:
        likely = [
            f"--{field}-column {_shown(names[0])}"
            for field in NAMES
            if not self._wanted[field].absent and (names := likely_columns(columns, field))
        ]
        hint = f", perhaps {' '.join(likely)}" if likely else ""
        return (
            f"no column {' or '.join(map(repr, missing))}; there are {_listed(columns)}. "
            f"Name them with --title-column and --abstract-column{hint}"
        )


class AddedColumns:
    """The columns that are added: labels, status, scores and model, each with a prefix.

    `model` says in every row what made it, so that rows of two models are told apart also after
    tables were cut and joined, and a run is not resumed with another one.
    """

    def __init__(
        self, labels: Labels, model: str, prefix: str = "", *, scores: Scores | None = None, top: int = 5,
        uris: bool = False,
    ) -> None:  # fmt: skip
        """`scores` are a column per label, the `top` most probable ones, or none; None: by the number of labels.

        Raises CliError if URIs are wanted and the labels have none.
        """
        if uris and not any(labels.uris):
            raise CliError(f"--uris: the labels of {model} have no URIs")
        self._labels = labels
        self._model = model
        self._scores: Scores = scores or ("all" if len(labels.names) <= MOST_SCORE_COLUMNS else "top")
        self.labels, self.status, self.model = f"{prefix}labels", f"{prefix}status", f"{prefix}model"
        self._uris = f"{prefix}label_uris" if uris else None
        texts = {self.labels: "texts"} | ({self._uris: "texts"} if self._uris else {}) | {self.status: "text"}
        self._per_label = self._label_columns(prefix, {*texts, self.model})
        count = min(top, len(labels.names)) if self._scores == "top" else 0
        self._top = [(f"{prefix}top {i}", f"{prefix}top {i} score") for i in range(1, count + 1)]
        per_label = dict.fromkeys(self._per_label if self._scores == "all" else (), "score")
        tops = {column: kind for pair in self._top for column, kind in zip(pair, ("text", "score"), strict=True)}
        self.types: dict[str, str] = texts | per_label | tops | {self.model: "text"}
        """The added columns in their order, and what they hold: "texts", "text" or "score"."""

    @property
    def columns(self) -> list[str]:
        """The added columns in their order."""
        return list(self.types)

    def check(self, columns: Sequence[str]) -> None:
        """Raise CliError if the input has one of these already: nothing is overwritten."""
        if clash := next((column for column in self.types if column in columns), None):
            raise CliError(
                f"the input has a column {clash!r} already; name the new ones apart, e.g. --prefix predicted_"
            )

    def check_maker(self, written: Mapping[str, object]) -> None:
        """Raise CliError if a row that an earlier run wrote was made by another model."""
        if (maker := written.get(self.model, self._model)) != self._model:
            raise CliError(
                f"the rows that are there were made by {maker!r}, this run would add rows of {self._model!r}; "
                "resume with the model that began (--artefact-version, or the service that has it), "
                "make all rows anew with --force, or name another output"
            )

    def cells(self, prediction: Prediction) -> Cells:
        """The new cells of one row."""
        values: Cells = {self.labels: prediction.labels, self.status: prediction.status, self.model: self._model}
        if self._uris:
            uri_of = dict(zip(self._labels.names, self._labels.uris, strict=True))
            values[self._uris] = [uri for name in prediction.labels if (uri := uri_of.get(name))]
        values.update(zip(self._per_label, prediction.probabilities, strict=True))
        ranked = sorted(zip(prediction.probabilities, self._labels.names, strict=True), key=lambda pair: -pair[0])
        for (name_column, score_column), (score, name) in zip(self._top, ranked, strict=False):
            values |= {name_column: name, score_column: score}
        return {column: values[column] for column in self.types}

    def _label_columns(self, prefix: str, taken: set[str]) -> list[str]:
        names = [prefix + label for label in self._labels.names]
        return [name if name not in taken else f"{name} probability" for name in names]


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(_shown, columns))


def _shown(name: str) -> str:
    # A table without a header would show its first paper here, so names are cut.
    return repr(name[:_LONGEST_NAME])
