"""POST /explain: which sentences speak for and against a label, and that nobody else waits for it."""

import asyncio
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.labels import log_odds
from model_store.papers import Paper
from model_store.store import Store
from tests.app import doubles
from tests.app.inprocess import in_process

PAPER = {"title": "A compiler.", "abstract": "𝒳 the quantum star of a software. We and the theorem."}


def explain(client: TestClient, **paper: str) -> dict[str, Any]:
    answer = client.post("/explain", json=paper)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_the_classification_is_the_same_as_without_evidence(client: TestClient) -> None:
    explained = explain(client, **PAPER, id="x")
    plain = client.post("/classify", json=PAPER | {"id": "x"}).json()
    assert {name: explained[name] for name in plain} == plain


def test_every_label_given_has_its_sentences_with_exact_offsets(client: TestClient) -> None:
    explained = explain(client, title="Star compiler star compiler.", abstract="Quantum algorithm. A quantum network.")
    assert [entry["label"] for entry in explained["evidence"]] == explained["labels"]
    assert len(explained["labels"]) == 2
    for entry in explained["evidence"]:
        spans = [(s["field"], s["start"], s["end"]) for s in entry["sentences"]]
        assert spans == [("title", 0, 28), ("abstract", 0, 19), ("abstract", 19, 37)]


def test_offsets_count_code_points(client: TestClient) -> None:
    first, second = explain(client, **PAPER)["evidence"][0]["sentences"][1:]
    assert PAPER["abstract"][first["start"] : first["end"]] == "𝒳 the quantum star of a software. "
    assert PAPER["abstract"][second["start"] : second["end"]] == "We and the theorem."


def test_weights_are_what_the_log_odds_lose(client: TestClient, store: Store) -> None:
    explained = explain(client, **PAPER)
    classifier = store.open().classifier()
    paper = Paper(**PAPER)
    rest = [paper._replace(title=""), paper._replace(abstract="We and the theorem.")]
    full, *left = log_odds(classifier.scores([paper, *rest]))
    label = list(explained["probabilities"]).index(explained["evidence"][0]["label"])
    given = [sentence["weight"] for sentence in explained["evidence"][0]["sentences"]]
    assert given[:2] == pytest.approx([full[label] - row[label] for row in left], abs=1e-3)


def test_supporting_sentences_have_positive_weights_and_contradicting_ones_negative(client: TestClient) -> None:
    explained = explain(client, title="A proof of the theorem algebra.", abstract="We star the network.")
    weights = [sentence["weight"] for sentence in explained["evidence"][0]["sentences"]]
    assert explained["evidence"][0]["label"] == "Mathematics"
    assert weights[0] > 0 > weights[1]


def test_where_no_label_is_given_the_most_probable_one_is_explained(client: TestClient) -> None:
    explained = explain(client, title="The and of.", abstract="We and a.")
    best = max(explained["probabilities"], key=explained["probabilities"].__getitem__)
    assert (explained["labels"], [entry["label"] for entry in explained["evidence"]]) == ([], [best])


@pytest.mark.parametrize("paper", [{"title": "A star"}, {"title": "\u200b", "abstract": "A star"}])
def test_the_only_sentence_has_no_weight(client: TestClient, paper: dict[str, str]) -> None:
    assert "weight" not in explain(client, **paper)["evidence"][0]["sentences"][-1]


def test_a_long_text_costs_no_more_than_the_setting_allows_and_says_so(store: Store) -> None:
    classifier = doubles.slow(store, 0.0)
    with TestClient(create_app(Settings(artefacts=store.root, max_explained_sentences=8), classifier)) as client:
        before = classifier.scored
        explained = explain(client, title="A star.", abstract="The proof of it. " * 100)
        assert classifier.scored - before <= 10
    assert explained["merged"]
    assert sum(sentence["sentences"] for sentence in explained["evidence"][0]["sentences"]) == 101


def test_one_paper_is_explained_at_a_time_and_a_few_wait(store: Store) -> None:
    async def scene() -> None:
        settings = doubles.short_timeouts(store, max_waiting_explanations=1)
        async with in_process(settings, doubles.slow(store, 0.05)) as running:
            asked = [asyncio.create_task(running.client.post("/explain", json=PAPER)) for _ in range(3)]
            answers = await asyncio.gather(*asked)
            assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
            refused = next(answer for answer in answers if answer.status_code == 429)
            assert (refused.json()["code"], int(refused.headers["retry-after"]) >= 1) == ("queue_full", True)
            assert (await running.client.post("/explain", json=PAPER)).status_code == 200

    asyncio.run(scene())


def test_classification_never_waits_for_more_than_one_sentence(store: Store) -> None:
    async def scene() -> None:
        scored = doubles.slow(store, 0.05)
        async with in_process(doubles.short_timeouts(store), scored) as running:
            long = asyncio.create_task(running.client.post("/explain", json={"abstract": "A star. " * 30}))
            while scored.scored < 5:
                await asyncio.sleep(0.01)
            before = scored.scored
            assert (await running.classify("quantum star")).status_code == 200
            assert scored.scored - before <= 3
            assert (await long).status_code == 200

    asyncio.run(scene())


def test_evidence_is_not_counted_as_answers(store: Store) -> None:
    async def scene() -> None:
        async with in_process(doubles.short_timeouts(store)) as running:
            assert (await running.client.post("/explain", json={"abstract": "A star. A quantum."})).status_code == 200
            assert running.metric('papers_classified_total{status="ok"}') == 1

    asyncio.run(scene())


def test_a_cancelled_explanation_makes_room_for_the_next(store: Store) -> None:
    async def scene() -> None:
        settings = doubles.short_timeouts(store, request_timeout_s=0.5, max_waiting_explanations=0)
        async with in_process(settings, doubles.slow(store, 0.1)) as running:
            late = await running.client.post("/explain", json={"abstract": "A star. " * 30})
            assert late.status_code == 504
            assert (await running.client.post("/explain", json={"title": "A star"})).status_code == 200

    asyncio.run(scene())


def test_a_paper_whose_explanation_does_not_fit_into_the_queue_is_told_so(store: Store) -> None:
    async def scene() -> None:
        async with in_process(doubles.short_timeouts(store, max_papers=1, max_queue_tokens=600)) as running:
            abstract = "A star is a star and a quantum. " * 30
            assert (await running.client.post("/classify", json={"abstract": abstract})).status_code == 200
            refused = await running.client.post("/explain", json={"abstract": abstract})
            assert (refused.status_code, refused.json()["limit"]) == (413, 600)
            assert refused.json()["detail"].startswith("The paper is too long to explain: scoring it without each of")

    asyncio.run(scene())


def test_an_explanation_has_no_more_sentences_than_the_queue_holds(store: Store) -> None:
    async def scene() -> None:
        async with in_process(doubles.short_timeouts(store, max_papers=4, max_queue=4)) as running:
            answer = await running.client.post("/explain", json={"title": "A star.", "abstract": "A star. " * 30})
            assert answer.status_code == 200

    asyncio.run(scene())


def test_an_explanation_under_way_is_finished_before_the_service_ends(store: Store) -> None:
    async def scene() -> None:
        scored = doubles.slow(store, 0.02)
        async with in_process(doubles.short_timeouts(store), scored) as running:
            under_way = asyncio.create_task(running.client.post("/explain", json={"abstract": "A star. " * 20}))
            while scored.scored < 3:
                await asyncio.sleep(0.01)
            assert await running.engine.drain()
            assert (await under_way).status_code == 200
            assert (await running.client.post("/explain", json=PAPER)).status_code == 503

    asyncio.run(scene())
