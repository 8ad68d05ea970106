"""Running graphs, whole and in parts."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from model_store.classifier import Classifier
from model_store.errors import ArtefactDamaged
from model_store.graph import ExitingGraph
from model_store.labels import closeness
from model_store.manifest import Manifest
from model_store.papers import Paper
from model_store.store import GRAPH, Store
from tests import builders

CLEAR = Paper("a star", "quantum particle plasma star star star")
CLOSE = Paper("a star", "of the theorem and the proof of a star the a of the a of the a of")


def exiting(folder: Path, margin: float, title_margin: float | None = None) -> Classifier:
    store = Store(folder)
    manifest = builders.manifest(exits=builders.exits(margin, title_margin))
    store.publish(manifest, {**builders.files(), **builders.parts()})
    return store.open().classifier()


def test_a_clear_paper_exits_after_the_first_part(tmp_path: Path) -> None:
    classifier = exiting(tmp_path, margin=0.5)
    clear, close = classifier.classify(CLEAR), classifier.classify(CLOSE)
    assert (clear.output.layer, close.output.layer) == (2, 6)
    whole = builders.classifier()
    assert np.allclose(close.output.scores, whole.classify(CLOSE).output.scores)
    assert clear.output.distance == whole.classify(CLEAR).output.distance
    assert [clear.decision.labels, clear.decision.status] == [(1,), "ok"]


@pytest.mark.parametrize(("margin", "layer"), [(0.0, 2), (100.0, 6)])
def test_the_margin_decides_which_papers_exit_early(tmp_path: Path, margin: float, layer: int) -> None:
    classifier = exiting(tmp_path, margin)
    assert {classifier.classify(paper).output.layer for paper in (CLEAR, CLOSE)} == {layer}


def test_a_margin_is_the_distance_of_the_closest_call(tmp_path: Path) -> None:
    thresholds = [label.threshold for label in builders.LABELS]
    scores = exiting(tmp_path / "first", margin=0.0).classify(CLOSE).output.scores
    distance = float(closeness(scores, thresholds))
    assert exiting(tmp_path / "below", margin=distance - 1e-6).classify(CLOSE).output.layer == 2
    assert exiting(tmp_path / "above", margin=distance + 1e-6).classify(CLOSE).output.layer == 6


@pytest.mark.parametrize(("title_margin", "layer"), [(None, 6), (0.0, 2)])
def test_a_title_alone_exits_early_only_if_it_may(tmp_path: Path, title_margin: float | None, layer: int) -> None:
    assert exiting(tmp_path, 0.0, title_margin).classify(Paper("star")).output.layer == layer


def test_scores_that_are_no_numbers_come_from_the_last_part() -> None:
    graph = ExitingGraph(builders.manifest(exits=builders.exits(0.5)), builders.parts(pull=float("nan")))
    output = graph(builders.classifier().encode([CLEAR])[0])
    assert np.isnan(output.scores).any()
    assert output.layer == 6


def test_a_paper_gets_the_same_answer_in_any_batch(tmp_path: Path) -> None:
    classifier = exiting(tmp_path, margin=0.5)
    together = classifier.scores([CLEAR, CLOSE, CLEAR])
    assert np.array_equal(together, np.concatenate([classifier.scores([paper]) for paper in (CLEAR, CLOSE, CLEAR)]))


def test_without_exits_no_layer_is_reported() -> None:
    assert builders.classifier().classify(CLEAR).output.layer is None


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    manifest = builders.manifest(exits=builders.exits(0.5))
    with pytest.raises(ArtefactDamaged, match=r"does not list model\.2\.onnx"):
        Store(tmp_path).publish(manifest, {**builders.files(), GRAPH: builders.parts()[GRAPH]})


@pytest.mark.parametrize(
    ("order", "said"), [((1, 0), "expected them in rising order"), ((0,), "every paper that reaches it exits")]
)
def test_exits_in_the_wrong_order_are_refused(order: tuple[int, ...], said: str) -> None:
    document = builders.manifest().model_dump(mode="json")
    document["exits"] = [builders.exits(0.5)[i].model_dump() for i in order]
    with pytest.raises(ValidationError, match=said):
        Manifest.model_validate(document)


def test_scores_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    artefact = builders.publish(tmp_path).open()
    scores = [artefact.classifier(threads).scores([CLEAR, CLOSE]) for threads in (1, 2, 3)]
    assert all(np.array_equal(scores[0], others) for others in scores[1:])
