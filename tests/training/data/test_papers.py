"""Papers that are learned from."""

import numpy as np
import pytest

from model_store.papers import Paper
from training.data.cleaning import has_text
from training.data.papers import Papers


def papers(count: int = 1000) -> Papers:
    targets = np.eye(count, 3, dtype=np.float32)
    return Papers([Paper(f"title {i}", f"abstract {i}") for i in range(count)], targets, teacher=-targets)


def test_a_share_of_the_papers_loses_its_abstracts_and_nothing_else() -> None:
    found = papers().with_titles_alone(0.2, seed=1, has_text=has_text)
    assert [paper.title for paper in found.papers] == [paper.title for paper in papers().papers]
    assert 150 < sum(not paper.abstract for paper in found.papers) < 250
    assert (found.targets == papers().targets).all()
    assert found.teacher is not None
    assert found.papers == papers().with_titles_alone(0.2, seed=1, has_text=has_text).papers
    assert found.papers != papers().with_titles_alone(0.2, seed=2, has_text=has_text).papers


def test_without_a_share_all_stay_whole() -> None:
    assert papers().with_titles_alone(0.0, seed=1, has_text=has_text).papers == papers().papers


@pytest.mark.parametrize("title", [" ", "Untitled", "n/a"])
def test_a_paper_without_a_title_keeps_its_abstract(title: str) -> None:
    untitled = Papers([Paper(title, "abstract")] * 50, np.ones((50, 1), dtype=np.float32))
    assert untitled.with_titles_alone(0.9, seed=1, has_text=has_text).papers == untitled.papers
