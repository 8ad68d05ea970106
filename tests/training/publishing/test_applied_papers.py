"""Invented papers of the bundled labels that are close to other fields, such as deep learning on X-rays."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_store.papers import Paper
from model_store.store import Store
from training.publishing.scope import read_texts

LABELS = {
    "Computer Science",
    "Physics",
    "Mathematics",
    "Statistics",
    "Quantitative Biology",
    "Quantitative Finance",
}


def applied_papers() -> list[dict[str, Any]]:
    lines = (Path(__file__).parent / "applied_papers.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_bundled_artefact_accepts_applied_papers_and_rejects_other_fields() -> None:
    """At the false alarms of its configuration, about one in a hundred papers of the usual mix."""
    classifier = Store(Path("model_store/artefacts")).open().classifier()

    def out_of_scope(papers: Sequence[Paper]) -> float:
        return float(np.mean([classifier.classify(paper).decision.status == "out_of_scope" for paper in papers]))

    scholarly = [text.paper for text in read_texts() if text.kind.startswith("scholarly") and text.half == "testing"]
    assert out_of_scope([Paper(paper["title"], paper["abstract"]) for paper in applied_papers()]) <= 0.05
    assert out_of_scope(scholarly) >= 0.7


def test_the_papers_have_known_labels_and_no_detector_may_learn_from_them() -> None:
    papers = applied_papers()
    titles = {paper["title"].casefold() for paper in papers}
    assert len(titles) == len(papers) == 60
    assert all(paper["abstract"] and paper["labels"] for paper in papers)
    assert {label for paper in papers for label in paper["labels"]} == LABELS
    assert not titles & {text.title.casefold() for text in read_texts()}
