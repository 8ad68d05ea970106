"""Calibration: what it mends, what it is measured by, and that it reaches the graph once."""

import numpy as np
import pytest

from model_store.classifier import OnnxGraph
from model_store.labels import log_odds
from model_store.papers import Paper, PaperEncoder
from tests import builders
from training.publishing.calibration import (
    Lines,
    calibration,
    calibration_errors,
    fit_isotonic,
    fit_lines,
    held_out,
    held_out_by_method,
)
from training.publishing.served_graph import served_graph


def overconfident(papers: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose log-odds are twice too large and one too high."""
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, size=(papers, 2))
    targets = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return targets, 1 / (1 + np.exp(-(2 * odds + 1)))


def test_a_line_undoes_what_a_line_has_done() -> None:
    lines = fit_lines(*overconfident(), "platt")
    assert lines.slopes == pytest.approx([0.5, 0.5], abs=0.05)
    assert lines.intercepts == pytest.approx([-0.5, -0.5], abs=0.1)


def test_a_temperature_has_no_intercept() -> None:
    lines = fit_lines(*overconfident(), "temperature")
    assert lines.intercepts.tolist() == [0.0, 0.0]
    assert (lines.slopes < 1).all()


def test_no_calibration_changes_nothing() -> None:
    targets, scores = overconfident(50)
    assert fit_lines(targets, scores, "none")(scores) == pytest.approx(scores, abs=1e-7)


def test_a_perfectly_separated_label_still_gets_a_finite_line() -> None:
    targets = np.array([[0.0], [0.0], [1.0], [1.0]])
    lines = fit_lines(targets, np.array([[0.1], [0.2], [0.8], [0.9]]), "platt")
    assert 0 < lines.slopes[0] < 100


def test_the_error_is_the_gap_between_probability_and_frequency() -> None:
    targets, scores = np.array([[1.0], [0.0], [0.0], [0.0]]), np.full((4, 1), 0.55)
    assert calibration_errors(targets, scores) == pytest.approx([0.3])
    assert calibration_errors(targets, scores, equal_mass=True) == pytest.approx([0.3])


def test_no_paper_is_calibrated_by_itself() -> None:
    """Isotonic regression would learn targets of pure chance by heart."""
    rng = np.random.default_rng(0)
    scores, targets = rng.random((300, 1)), (rng.random((300, 1)) < 0.5).astype(np.float32)
    by_heart = np.abs(fit_isotonic(targets, scores)(scores) - targets).mean()
    assert np.abs(held_out(targets, scores, fit_isotonic, seed=1) - targets).mean() > by_heart


def test_methods_are_compared_on_held_out_papers() -> None:
    targets, scores = overconfident()
    predicted = held_out_by_method(targets, scores, seed=1)
    found = calibration(targets, predicted, ["a", "b"], "platt", fit_lines(targets, scores, "platt"), seed=1)
    assert found.compared.keys() == {"none", "temperature", "platt", "isotonic"}
    assert found.compared["platt"].equal_width < found.compared["none"].equal_width / 3
    assert found.chance is not None
    assert found.compared["platt"].equal_width == pytest.approx(found.chance.equal_width, abs=0.01)
    assert found.lines["a"].slope == pytest.approx(0.5, abs=0.05)


def test_the_graph_applies_the_lines_once() -> None:
    lines = Lines(np.array([0.5, 1.0, 2.0]), np.array([0.0, -1.0, 0.5]))
    (encoding,) = PaperEncoder(builders.tokenizer(), builders.INPUT).encode([Paper("a quantum algorithm")])
    bare = OnnxGraph(builders.graph())(encoding).scores
    served = OnnxGraph(served_graph(builders.graph(), lines, None))(encoding).scores
    assert log_odds(served) == pytest.approx(lines.slopes * log_odds(bare) + lines.intercepts, abs=1e-4)
