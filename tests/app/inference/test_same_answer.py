"""The bundled artefact answers a paper in the same way at any load, in any batch, with any number of threads."""

import asyncio
import itertools
import random
from typing import Any

import pytest

from app.settings import Settings
from model_store.store import Store
from tests.app.inprocess import InProcess, in_process

WORDS = ("network", "star", "proof", "theorem", "quantum", "particle", "software", "of", "the", "we", "show", "bounds")


def texts(count: int) -> list[dict[str, str]]:
    """Papers of very different lengths, up to more than the network reads."""
    chance = random.Random(11)
    lengths = [5, 400, *(int(400 ** chance.uniform(0.4, 1.0)) for _ in range(count - 2))]
    words = [chance.choices(WORDS, k=length) for length in lengths]
    return [{"title": " ".join(text[:8]), "abstract": " ".join(text[8:])} for text in words]


@pytest.fixture
def bundled(store: Store) -> Store:
    shipped = Store(Settings().artefacts)
    return shipped if shipped.versions() else store


async def alone(papers: InProcess, bodies: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [(await papers.client.post("/classify", json=body)).raise_for_status().json() for body in bodies]


def test_a_paper_gets_the_same_answer_at_any_load(bundled: Store) -> None:
    bodies = texts(12)

    async def scenario() -> None:
        async with in_process(Settings(artefacts=bundled.root, threads=2, request_timeout_s=60)) as papers:
            expected = await alone(papers, bodies)
            singles = [papers.client.post("/classify", json=body) for body in bodies for _ in range(2)]
            batches = [papers.client.post("/classify/batch", json={"papers": bodies[i:]}) for i in range(0, 12, 4)]
            answers = await asyncio.gather(*singles, *batches)
            for answer, body in zip(answers, [b for b in bodies for _ in range(2)], strict=False):
                assert answer.json() == expected[bodies.index(body)]
            for answer, first in zip(answers[-3:], range(0, 12, 4), strict=True):
                for result, single in zip(answer.json()["results"], expected[first:], strict=True):
                    assert result == {name: value for name, value in single.items() if name != "model"}

    asyncio.run(scenario())


def test_a_paper_gets_the_same_scores_bit_for_bit_with_any_number_of_threads(bundled: Store) -> None:
    async def answers(threads: int) -> list[Any]:
        async with in_process(Settings(artefacts=bundled.root, threads=threads, request_timeout_s=60)) as papers:
            singles = await alone(papers, texts(12))
            batch = await papers.client.post("/classify/batch", json={"papers": texts(12)})
            explained = await papers.client.post("/explain", json={"abstract": "A star. We prove bounds. Networks."})
            return [*singles, batch.json(), explained.json()]

    by_threads = [asyncio.run(answers(threads)) for threads in (1, 2, 3)]
    for one, other in itertools.pairwise(by_threads):
        assert one == other
