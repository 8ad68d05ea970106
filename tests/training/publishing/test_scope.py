"""The detector: strange texts are far, short ones are not strange; and the texts it is measured with."""

from collections import Counter

import numpy as np
import pytest

from model_store.papers import Paper
from training.config import ScopeConfig
from training.publishing.scope import (
    Distances,
    States,
    Text,
    at_several_lengths,
    fit_detector,
    outliers,
    read_texts,
    scope,
)

HIDDEN = 6


def states(papers: int, shift: float = 0.0, seed: int = 0) -> States:
    """Means over as many states as there are word pieces: the shorter, the more they scatter."""
    rng = np.random.default_rng(seed)
    tokens = rng.choice([8, 30, 200], size=papers)
    return States(shift + rng.normal(size=(papers, HIDDEN)) * (10 / np.sqrt(tokens))[:, None], tokens)


def test_a_short_paper_is_no_further_than_a_long_one() -> None:
    detector = fit_detector(states(2000))
    papers = states(2000, seed=1)
    distances = detector(papers)
    means = [distances[papers.tokens == length].mean() for length in (8, 30, 200)]
    assert means == pytest.approx([0, 0, 0], abs=0.15)


def test_an_outlier_is_far_at_any_length() -> None:
    detector = fit_detector(states(2000))
    strange = states(300, shift=8.0, seed=1)
    usual = np.quantile(detector(states(2000, seed=2)), 0.98)
    assert all((detector(strange)[strange.tokens == length] > usual).mean() > 0.9 for length in (8, 30, 200))


def test_outliers_that_are_learned_from_are_found_within_the_spread_of_the_papers() -> None:
    def of_other_field(seed: int) -> States:
        texts = states(400, seed=seed)
        # Far away in one dimension, and closer to the mean than papers in the others.
        shift = 3.6 * 10 / np.sqrt(texts.tokens)[:, None] * np.eye(HIDDEN)[0]
        return texts._replace(features=texts.features * 0.3 + shift)

    papers = states(2000)
    detector = fit_detector(papers)
    learned = detector.fitted_with_outliers(papers, of_other_field(seed=3))
    for found, least, most in ((detector, 0, 0.5), (learned, 0.9, 1)):
        threshold = np.quantile(found(states(2000, seed=2)), 0.98)
        assert least <= (found(of_other_field(seed=4)) > threshold).mean() <= most


def test_a_detector_may_learn_from_the_tuning_half_alone() -> None:
    texts = [
        Text(kind="noise", half="tuning", title="a", abstract="b c"),
        Text(kind="noise", half="tuning", title="d", abstract="e"),
        Text(kind="noise", half="testing", title="f", abstract="g"),
    ]
    assert outliers(texts) == [Paper("a", "b c"), Paper("d", "e"), Paper("d", "")]


def test_a_detector_can_be_fitted_to_fewer_papers_than_dimensions() -> None:
    detector = fit_detector(states(HIDDEN - 2))
    assert np.isfinite(detector(states(20, seed=1))).all()


def test_states_that_lie_in_fewer_dimensions_have_a_distance() -> None:
    papers = states(500)
    flat = papers._replace(
        features=np.column_stack([papers.features[:, :-1], papers.features[:, 0]]).astype(np.float32)
    )
    detector = fit_detector(flat)
    assert np.isfinite(detector(flat)).all()
    assert np.median(detector(flat)) == pytest.approx(0, abs=0.2)


def test_every_second_paper_is_learned_whole_and_titles_alone_too() -> None:
    papers = at_several_lengths([Paper("A title", "word " * 60)] * 8)
    assert [len(paper.abstract.split()) for paper in papers] == [60, 0, 60, 12, 60, 25, 60, 50]
    assert at_several_lengths([Paper("", "word")] * 2)[1] == Paper("", "word")


def test_figures_come_from_the_testing_half_and_near_misses_are_separate() -> None:
    texts = [
        Text(kind="noise", half="tuning", title="a", abstract="b"),
        Text(kind="noise", half="testing", title="a", abstract="b"),
        Text(kind="noise", half="testing", title="a"),
        Text(kind="near misses", half="testing", title="a", abstract="b"),
        Text(kind="scholarly: law", half="testing", title="a", abstract="b"),
    ]
    papers = Distances(np.linspace(0, 1, 101), np.linspace(0, 2, 101))
    found = scope(
        papers, texts, np.array([0.0, 1.5, 1.5, 0.0, 1.5]), layer=3, config=ScopeConfig(false_alarms=0.02), seed=1
    )
    assert [found.threshold, found.title_threshold] == pytest.approx([0.98, 1.96])
    assert (found.caught.texts, found.caught.caught) == (2, 0.5)
    assert found.near_misses is not None
    assert (found.near_misses.texts, found.near_misses.caught) == (2, 0.5)
    assert found.false_alarms == pytest.approx(0.02, abs=0.02)


def test_there_are_enough_texts_of_every_kind_in_both_halves() -> None:
    texts = read_texts()
    counts = Counter((text.kind, text.half) for text in texts)
    kinds = {kind for kind, _ in counts}
    scholarly = {kind for kind in kinds if kind.startswith("scholarly: ")}
    assert {counts[kind, half] for kind in kinds - scholarly for half in ("tuning", "testing")} == {10}
    assert [counts[kind, "testing"] for kind in scholarly if counts[kind, "testing"]] == [5] * 12
    assert min(counts[kind, "tuning"] for kind in scholarly) >= 8
    assert len({text.paper for text in texts}) == len(texts)
    assert all("".join(text.paper).strip() for text in texts)


def test_no_text_for_tuning_has_the_title_of_one_for_testing() -> None:
    texts = read_texts()
    titles = {half: {t.title.casefold() for t in texts if t.half == half and t.title} for half in ("tuning", "testing")}
    assert not titles["tuning"] & titles["testing"]
