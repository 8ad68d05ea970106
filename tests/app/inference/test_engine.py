"""Admission, deadlines, fairness: what happens when more is asked than can be done."""

import asyncio
import time

from model_store.store import Store
from tests.app.doubles import failing, short_timeouts, slow
from tests.app.inprocess import in_process


async def refused_when_full(store: Store) -> None:
    settings = short_timeouts(store, max_queue=2, max_papers=2, stall_timeout_s=4.0)
    async with in_process(settings, slow(store, 1.2)) as papers:
        busy = [asyncio.create_task(papers.classify("star")) for _ in range(2)]
        await asyncio.sleep(0.1)
        refusal = await papers.classify("star")
        assert not any(request.done() for request in busy), "the refusal waits for nobody"
        assert (refusal.status_code, refusal.json()["code"], refusal.headers["retry-after"]) == (429, "queue_full", "1")
        assert [answer.status_code for answer in await asyncio.gather(*busy)] == [200, 200]
        assert (await papers.classify("star")).status_code == 200
        assert papers.metric('papers_rejected_total{reason="queue_full"}') == 1


def test_a_full_queue_answers_429_and_loses_nothing_accepted(store: Store) -> None:
    asyncio.run(refused_when_full(store))


async def accepted_after_probes(store: Store) -> None:
    classifier = slow(store, 0.1)
    async with in_process(short_timeouts(store, probe_interval_s=0.2, request_timeout_s=4.0), classifier) as papers:
        await asyncio.sleep(0.5)
        assert classifier.scored, "an idle engine probes itself"
        answers = await asyncio.gather(*(papers.classify("star " * 60) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5


def test_probes_say_nothing_about_the_pace_of_papers(store: Store) -> None:
    """A probe costs 1 and takes as long as overhead does; papers of cost 60 do not take 60 times as long."""
    asyncio.run(accepted_after_probes(store))


async def late_work_dropped(store: Store) -> None:
    classifier = slow(store, 0.1)
    async with in_process(short_timeouts(store, request_timeout_s=0.35), classifier) as papers:
        answer = await papers.classify(*["star"] * 30)
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_passed")
        scored = classifier.scored
        await asyncio.sleep(0.25)
        assert classifier.scored <= scored + 1
        assert (await papers.classify("star")).status_code == 200


def test_work_past_its_deadline_is_a_504_and_dropped(store: Store) -> None:
    asyncio.run(late_work_dropped(store))


async def departed_client(store: Store) -> None:
    classifier = slow(store, 0.1)
    async with in_process(short_timeouts(store), classifier) as papers:
        request = asyncio.create_task(papers.classify(*["star"] * 20))
        await asyncio.sleep(0.25)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        scored = classifier.scored
        await asyncio.sleep(0.3)
        assert classifier.scored <= scored + 1
        assert (await papers.classify("star")).status_code == 200


def test_work_of_a_disconnected_client_is_dropped(store: Store) -> None:
    asyncio.run(departed_client(store))


async def single_beside_batches(store: Store) -> None:
    classifier = slow(store, 0.02)
    async with in_process(short_timeouts(store, request_timeout_s=10.0), classifier) as papers:
        batches = [asyncio.create_task(papers.classify(*["star"] * 60)) for _ in range(2)]
        await asyncio.sleep(0.1)
        before = classifier.scored
        assert (await papers.classify("proof")).status_code == 200
        assert classifier.scored - before < 20, "of the 120 papers that came before"
        assert [answer.status_code for answer in await asyncio.gather(*batches)] == [200, 200]


def test_large_batches_do_not_starve_a_single_paper(store: Store) -> None:
    asyncio.run(single_beside_batches(store))


async def batch_in_a_flood(store: Store) -> None:
    async with in_process(short_timeouts(store, request_timeout_s=8.0), slow(store, 0.01)) as papers:
        answered = asyncio.Event()

        async def flood() -> None:
            while not answered.is_set():
                assert (await papers.classify("star")).status_code == 200

        singles = [asyncio.create_task(flood()) for _ in range(20)]
        await asyncio.sleep(0.2)
        batch = await papers.classify(*["star"] * 60)
        answered.set()
        await asyncio.gather(*singles)
        assert batch.status_code == 200, "one paper a round of 0.2 s would take 12 s"


def test_a_flood_of_single_papers_does_not_starve_a_batch(store: Store) -> None:
    asyncio.run(batch_in_a_flood(store))


async def one_paper_fails(store: Store) -> None:
    async with in_process(short_timeouts(store), failing(store, ValueError("a star"))) as papers:
        results = (await papers.classify("star star", "star", "proof proof")).json()["results"]
        assert [result.get("error", {}).get("code") for result in results] == [None, "internal_error", None]
        answer = await papers.classify("star")
        assert (answer.status_code, answer.json()["detail"]) == (500, "The network failed on this paper.")
        assert (await papers.client.get("/readyz")).status_code == 200


async def drained_after_a_long_notice(store: Store) -> None:
    async with in_process(short_timeouts(store, drain_timeout_s=0.2), slow(store, 0.05)) as papers:
        begun = time.monotonic()
        assert await papers.engine.drain(notice_s=0.5)
        assert time.monotonic() - begun >= 0.5


def test_the_drain_timeout_begins_after_the_notice(store: Store) -> None:
    asyncio.run(drained_after_a_long_notice(store))


def test_an_inference_error_affects_no_other_paper(store: Store) -> None:
    asyncio.run(one_paper_fails(store))
