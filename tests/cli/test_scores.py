"""Score columns for few and for hundreds of labels, and URIs."""

import pytest

from cli.added_columns import MOST_SCORE_COLUMNS, AddedColumns, Scores
from cli.errors import CliError
from cli.labellers import Labels, Prediction

MANY = Labels(tuple(f"cs.{i:03}" for i in range(154)), tuple(f"https://labels.example/{i}" for i in range(154)))
FEW = Labels(("A", "B"), (None, None))


def prediction(labels: Labels) -> Prediction:
    scores = [i / len(labels.names) for i in range(len(labels.names))]
    return Prediction([labels.names[-1]], "ok", scores)


def test_with_many_labels_only_the_most_probable_get_columns() -> None:
    added = AddedColumns(MANY, "m 1.0.0", top=2)
    assert added.columns == ["labels", "status", "top 1", "top 1 score", "top 2", "top 2 score", "model"]
    cells = added.cells(prediction(MANY))
    assert list(cells) == added.columns
    assert (cells["top 1"], cells["top 2"], cells["top 2 score"]) == ("cs.153", "cs.152", 152 / 154)


def test_few_labels_get_a_column_each() -> None:
    assert AddedColumns(FEW, "m").columns == ["labels", "status", "A", "B", "model"]
    assert len(AddedColumns(Labels(MANY.names[:MOST_SCORE_COLUMNS], ()), "m").columns) == MOST_SCORE_COLUMNS + 3


@pytest.mark.parametrize(("scores", "count"), [("all", 154), ("top", 10), ("none", 0)])
def test_score_columns_are_those_asked_for(scores: Scores, count: int) -> None:
    added = AddedColumns(MANY, "m", "p_", scores=scores)
    assert len(added.columns) == 3 + count
    assert all(column.startswith("p_") for column in added.columns)
    assert added.cells(prediction(MANY))["p_labels"] == ["cs.153"]


def test_no_more_top_columns_than_labels() -> None:
    assert AddedColumns(FEW, "m", scores="top").columns[2:-1] == ["top 1", "top 1 score", "top 2", "top 2 score"]


def test_uris_of_the_labels_are_added_on_request() -> None:
    added = AddedColumns(MANY, "m", scores="none", uris=True)
    assert added.columns == ["labels", "label_uris", "status", "model"]
    assert added.cells(prediction(MANY))["label_uris"] == ["https://labels.example/153"]
    with pytest.raises(CliError, match="have no URIs"):
        AddedColumns(FEW, "m", uris=True)
