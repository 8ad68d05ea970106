"""Explanations of the bundled artefact are faithful: what they name is what the score rests on.

For one sentence at a time this would hold by definition, so two sentences are left out together: how
they act together was never measured for the explanation. The control leaves out as many characters of
other sentences of the same paper, chosen at random. The papers are real.
"""

import csv
import gzip
import itertools
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.papers import Paper
from model_store.store import Store

PAPERS = 60
MIN_SENTENCES = 6

pytestmark = pytest.mark.shared


class Span(NamedTuple):
    """A sentence of an abstract and its weight for the explained label."""

    start: int
    end: int
    weight: float


class Drop(NamedTuple):
    """By how much a label's probability falls without the heaviest sentences and without others."""

    heaviest: float
    control: float


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    if not Store(Settings().artefacts).versions():
        pytest.skip("no artefact is bundled")
    with TestClient(create_app(Settings(request_timeout_s=60))) as client:
        yield client


def papers(shared: Path) -> Iterator[Paper]:
    with gzip.open(shared / "data/papers_validation.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Paper(row["TITLE"], row["ABSTRACT"])


def probability(client: TestClient, paper: Paper, label: str) -> float:
    answer: dict[str, Any] = client.post("/classify", json=paper._asdict()).raise_for_status().json()
    return float(answer["probabilities"][label])


def without(paper: Paper, spans: tuple[Span, ...]) -> Paper:
    left = [c for i, c in enumerate(paper.abstract) if not any(span.start <= i < span.end for span in spans)]
    return paper._replace(abstract="".join(left))


def length(spans: tuple[Span, ...]) -> int:
    return sum(span.end - span.start for span in spans)


def drop(client: TestClient, paper: Paper, chance: random.Random) -> Drop | None:
    """None if the paper has too few sentences."""
    explained = client.post("/explain", json=paper._asdict()).raise_for_status().json()
    evidence = explained["evidence"][0]
    spans = [
        Span(s["start"], s["end"], s["weight"])
        for s in evidence["sentences"]
        if s["field"] == "abstract" and s["sentences"] == 1
    ]
    if len(spans) < MIN_SENTENCES:
        return None
    spans.sort(key=lambda span: span.weight, reverse=True)
    heaviest, others = tuple(spans[:2]), spans[2:]
    candidates = [pair for size in (1, 2, 3) for pair in itertools.combinations(others, size)]
    chance.shuffle(candidates)
    control = min(candidates, key=lambda chosen: abs(length(chosen) - length(heaviest)))
    full = explained["probabilities"][evidence["label"]]
    label = evidence["label"]
    return Drop(*(full - probability(client, without(paper, chosen), label) for chosen in (heaviest, control)))


def test_removing_the_heaviest_sentences_lowers_the_score_more_than_removing_others(
    client: TestClient, shared: Path
) -> None:
    chance = random.Random(5)
    measured = (drop(client, paper, chance) for paper in papers(shared))
    drops = list(itertools.islice((found for found in measured if found), PAPERS))
    heaviest = statistics.fmean(found.heaviest for found in drops)
    control = statistics.fmean(found.control for found in drops)
    assert heaviest > 3 * max(0.0, control), drops
    assert sum(found.heaviest > found.control for found in drops) >= 0.8 * PAPERS, drops
