"""Detectors of texts out of scope on made-up states."""

import numpy as np

from benchmarks.detectors import Measured, Sets, detectors

LAYERS, HIDDEN = 6, 8


def measured(texts: int, seed: int, shift: float = 0.0) -> Measured:
    """States of normal scatter; those of another field are moved along one dimension and scatter less."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(2, texts, LAYERS + 1, HIDDEN)) * (0.5 if shift else 1)
    states[..., 0] += shift
    return Measured(states[0], states[1], rng.normal(size=texts) + shift, np.full(texts, 100))


def test_every_detector_scores_every_text_and_the_head_finds_what_it_has_learned() -> None:
    papers, other_field = measured(400, 1), measured(200, 2, shift=4)
    sets = Sets(papers, other_field, papers, papers, other_field, papers)
    unseen_papers, unseen_field = measured(400, 3), measured(200, 4, shift=4)
    found = {}
    for name, score in detectors(sets):
        assert score(unseen_field).shape == (200,)
        found[name] = (score(unseen_field) > np.quantile(score(unseen_papers), 0.98)).mean()
    assert len(found) == LAYERS + 7
    assert found["Mahalanobis, mean state of layer 3"] < 0.5
    assert found["Mahalanobis and outlier head, layer 3"] > 0.6
