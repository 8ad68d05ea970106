"""The columns that are added to a table: labels, status, scores and model."""

from collections.abc import Mapping, Sequence
from typing import Literal

from cli.errors import CliError
from cli.labellers import Labels, Prediction
from tables import Cells

Scores = Literal["all", "top", "none"]

# With more labels than this, a table with a column for each would be unreadable.
MOST_SCORE_COLUMNS = 20


class AddedColumns:
    """The columns that are added: labels, status, scores and model, each with a prefix.

    `model` names the model in every row, so that rows of different models can be distinguished even after
    tables were split and joined, and a run is not resumed with another model.
    """

    def __init__(
        self, labels: Labels, model: str, prefix: str = "", *, scores: Scores | None = None, top: int = 5,
        uris: bool = False,
    ) -> None:  # fmt: skip
        """`scores` are a column per label, the `top` most probable labels, or none; default: by the number of labels.

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
            raise CliError(f"the input already has a column {clash!r}; rename the new ones, e.g. --prefix predicted_")

    def check_maker(self, written: Mapping[str, object]) -> None:
        """Raise CliError if a row that an earlier run wrote was made by another model."""
        if (maker := written.get(self.model, self._model)) != self._model:
            raise CliError(
                f"the existing rows were made by {maker!r}, this run would add rows of {self._model!r}; resume with "
                "the model of the existing rows (--artefact-version, or the service that has it), replace all rows "
                "with --force, or name another output"
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
