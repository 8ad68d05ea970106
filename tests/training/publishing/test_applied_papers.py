"""Invented papers of the bundled labels that are close to other fields, such as deep learning on X-rays."""

import json
from pathlib import Path

from training.publishing.scope import read_texts

LABELS = {
    "Computer Science",
    "Physics",
    "Mathematics",
    "Statistics",
    "Quantitative Biology",
    "Quantitative Finance",
}


def test_the_papers_have_known_labels_and_no_detector_may_learn_from_them() -> None:
    lines = (Path(__file__).parent / "applied_papers.jsonl").read_text(encoding="utf-8").splitlines()
    papers = [json.loads(line) for line in lines]
    titles = {paper["title"].casefold() for paper in papers}
    assert len(titles) == len(papers) == 60
    assert all(paper["abstract"] and paper["labels"] for paper in papers)
    assert {label for paper in papers for label in paper["labels"]} == LABELS
    assert not titles & {text.title.casefold() for text in read_texts()}
