"""The labels of an imported model: by its configuration, by names, or by a table."""

from collections.abc import Sequence
from pathlib import Path

import tables
from model_store.labels import label_ids
from tables.known_columns import cell_text
from training.errors import ConfigError
from training.publishing.edition import LabelText

_COLUMNS = ("name", "id", "title", "parent")


def read_labels(given: Sequence[str], names: Sequence[str], outputs: int) -> tuple[LabelText, ...]:
    """The labels of the model's outputs, in their order.

    `given` are names, or the path of a table with the columns name and, if wanted, id, title and parent; where nothing
    is given, labels have the `names` of the model's configuration. Raises ConfigError if their number is not that of
    the outputs.
    """
    if len(given) == 1 and Path(given[0]).is_file():
        labels = _from_table(Path(given[0]))
    elif given or names:
        labels = [(name, "", "", "") for name in given or names]
    else:
        raise ConfigError(
            f"the model's config.json does not name its {outputs} outputs (id2label); name them in their order: "
            "--labels NAME NAME …, or --labels FILE, a table with a column `name`"
        )
    if len(labels) != outputs:
        raise ConfigError(f"{len(labels)} labels are named, but the model has {outputs} outputs; name each, in order")
    if repeated := {name for name, *_ in labels if [other for other, *_ in labels].count(name) > 1}:
        raise ConfigError(f"two labels have the same name: {', '.join(sorted(repeated))}")
    ids = label_ids([id_ or name for name, id_, *_ in labels])
    return tuple(
        LabelText(own or id_, name, title or None, parent or None)
        for id_, (name, own, title, parent) in zip(ids, labels, strict=True)
    )


def _from_table(path: Path) -> list[tuple[str, ...]]:
    rows = [
        {key.strip().lower(): cell_text(value) or "" for key, value in row.cells.items()} for row in tables.read(path)
    ]
    labels = [tuple(row.get(column, "").strip() for column in _COLUMNS) for row in rows]
    if missing := [number for number, (name, *_) in enumerate(labels, start=1) if not name]:
        raise ConfigError(
            f"{path}, row {missing[0]}: has no name; expected a column `name` with the name of each label"
        )
    return labels
