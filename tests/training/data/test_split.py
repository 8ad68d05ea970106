"""The split gives every label its share of training and validation papers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.split import stratified_split

Labels = list[frozenset[str]]


def library(papers: int, labels: int, seed: int) -> Labels:
    """Papers with up to three of many labels, a few of which are common and most rare."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, labels + 1)
    names = np.array([f"label {i}" for i in range(labels)])
    sizes = rng.integers(0, 4, size=papers)
    return [
        frozenset(rng.choice(names, size=size, replace=False, p=chances / chances.sum()).tolist()) for size in sizes
    ]


@pytest.mark.parametrize(("papers", "labels"), [(400, 3), (1300, 10), (3000, 200)])
def test_every_label_is_split_in_proportion(papers: int, labels: int) -> None:
    sets = library(papers, labels, seed=1)
    held_out = stratified_split(sets, 0.125, np.random.default_rng(0))
    totals = Counter(label for each in sets for label in each)
    held = Counter(label for i in held_out for label in sets[i])
    for label, papers_with_it in totals.items():
        if papers_with_it >= 2:
            assert 1 <= held[label] < papers_with_it
        if papers_with_it >= 16:
            assert held[label] == pytest.approx(0.125 * papers_with_it, abs=max(2, 0.06 * papers_with_it)), label


def test_the_split_has_the_size_that_was_asked_for() -> None:
    assert len(stratified_split(library(800, 6, seed=2), 0.125, np.random.default_rng(0))) == 100


def test_the_only_paper_of_a_label_stays_where_it_can_be_learned() -> None:
    sets = [frozenset({"rare", "common"})] + [frozenset({"common"})] * 40
    for seed in range(10):
        assert 0 not in stratified_split(sets, 0.2, np.random.default_rng(seed))


def test_papers_without_labels_are_on_both_sides_too() -> None:
    sets = [frozenset({"in"})] * 40 + [frozenset[str]()] * 400
    held_out = stratified_split(sets, 0.125, np.random.default_rng(0))
    assert len(held_out) == 55
    assert sum(i < 40 for i in held_out) == 5


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    sets = library(300, 5, seed=3)
    first, again, other = (stratified_split(sets, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=3), min_size=2, max_size=60),
    st.floats(0.05, 0.45),
    st.integers(0, 5),
)
def test_no_label_of_two_papers_is_missing_on_either_side(sets: Labels, share: float, seed: int) -> None:
    held_out = stratified_split(sets, share, np.random.default_rng(seed))
    totals = Counter(label for each in sets for label in each)
    held = Counter(label for i in held_out for label in sets[i])
    assert held_out <= frozenset(range(len(sets)))
    for label, papers in totals.items():
        assert papers - held[label] >= 1, "no label may be left with nothing to learn from"
