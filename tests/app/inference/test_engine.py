"""Admission, deadlines, fairness: what happens when more is asked than can be done."""

import asyncio
import time

import pytest

from app.inference.admission import Admission, Pace, Place
from app.inference.errors import QueueFull
from model_store.store import Store
from tests.app.doubles import failing, impatient, slow
from tests.app.inprocess import in_process


def admission(papers: int = 10, tokens: int = 100, longest_wait_s: float = 5.0, pace: Pace | None = None) -> Admission:
    return Admission(papers, tokens, longest_wait_s, pace or Pace(1))


def measured(workers: int, tokens: int, seconds: float) -> Pace:
    pace = Pace(workers)
    pace.observe(tokens, seconds)
    return pace


def test_room_is_counted_in_papers() -> None:
    house = admission(papers=10)
    with house.permit(8), pytest.raises(QueueFull), house.permit(3):
        pass
    with house.permit(10):
        assert house.papers == 10
    assert house.papers == 0


def test_room_is_counted_in_tokens() -> None:
    house = admission(tokens=100)
    with house.permit(1) as one, house.permit(1) as other:
        one.weigh(60)
        with pytest.raises(QueueFull):
            other.weigh(41)
        other.weigh(40)
        assert house.tokens == 100
    assert house.tokens == 0


def test_what_cannot_be_done_before_its_deadline_is_not_let_in() -> None:
    house = admission(longest_wait_s=5.0, pace=measured(workers=2, tokens=10, seconds=1.0))
    with house.permit(1) as one, house.permit(1) as other:
        one.weigh(90)
        with pytest.raises(QueueFull):
            other.weigh(11)
        other.weigh(10)


def test_papers_of_usual_length_are_reckoned_with_before_their_tokens_are_counted() -> None:
    house = admission(papers=99, longest_wait_s=5.0, pace=measured(workers=1, tokens=10, seconds=1.0))
    with house.permit(3), house.permit(2):
        assert house.refusal(1) is not None
        with pytest.raises(QueueFull), house.permit(1):
            pass
    assert house.refusal(1) is None


def test_who_may_have_waited_unseen_has_less_time_left() -> None:
    pace = measured(workers=1, tokens=10, seconds=1.0)
    house = admission(longest_wait_s=5.0, pace=pace)
    with house.permit(2):
        assert house.refusal(1) is None
        pace.lag_s = 9.0
        assert house.refusal(1) is not None
    assert house.refusal(1) is None


def test_a_late_loop_leaves_the_workers_something_to_do() -> None:
    pace = measured(workers=1, tokens=10, seconds=1.0)
    house = admission(longest_wait_s=5.0, pace=pace)
    pace.lag_s = 60.0
    with house.permit(1):
        assert house.refusal(1) is None


def test_an_empty_house_lets_one_in_whatever_the_estimate() -> None:
    house = admission(longest_wait_s=0.1, pace=measured(workers=1, tokens=1, seconds=10.0))
    with house.permit(1) as permit:
        permit.weigh(50)


def test_a_kept_place_is_nobody_elses() -> None:
    house = admission(papers=2)
    first, second = Place(house), Place(house)
    assert house.refusal(1) is not None
    with house.permit(1, first):
        assert house.refusal(1) is not None
        with house.permit(1, second):
            assert (house.papers, house.kept) == (2, 0)
    assert house.refusal(2) is None


def test_kept_places_count_as_papers_of_usual_length() -> None:
    house = admission(tokens=100, longest_wait_s=60, pace=measured(workers=1, tokens=40, seconds=1.0))
    place = Place(house)
    assert house.refusal(1) is None
    Place(house)
    assert house.refusal(1) is not None
    place.give_up()
    assert house.refusal(1) is None


def test_retry_after_is_the_backlog_at_the_measured_pace() -> None:
    house = admission(papers=1, longest_wait_s=60, pace=measured(workers=2, tokens=10, seconds=1.0))
    with house.permit(1) as permit:
        permit.weigh(70)
        with pytest.raises(QueueFull) as refusal, house.permit(1):
            pass
    assert refusal.value.retry_after_s == 4


def test_the_pace_follows_the_machine() -> None:
    pace = measured(workers=1, tokens=1, seconds=1.0)
    for _ in range(200):
        pace.observe(1, 0.1)
    assert pace.seconds_for(10) == pytest.approx(1.0, rel=0.05)


async def refused_when_full(store: Store) -> None:
    settings = impatient(store, max_queue=2, max_papers=2, stall_timeout_s=2.0)
    async with in_process(settings, slow(store, 0.3)) as papers:
        busy = [asyncio.create_task(papers.classify("star")) for _ in range(2)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        refusal = await papers.classify("star")
        assert time.monotonic() - began < 0.2
        assert (refusal.status_code, refusal.json()["code"], refusal.headers["retry-after"]) == (429, "queue_full", "1")
        assert [answer.status_code for answer in await asyncio.gather(*busy)] == [200, 200]
        assert (await papers.classify("star")).status_code == 200
        assert papers.metric('papers_rejected_total{reason="queue_full"}') == 1


def test_a_full_queue_answers_429_at_once_and_loses_nothing_accepted(store: Store) -> None:
    asyncio.run(refused_when_full(store))


async def late_work_dropped(store: Store) -> None:
    classifier = slow(store, 0.1)
    async with in_process(impatient(store, request_timeout_s=0.35), classifier) as papers:
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
    async with in_process(impatient(store), classifier) as papers:
        request = asyncio.create_task(papers.classify(*["star"] * 20))
        await asyncio.sleep(0.25)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        scored = classifier.scored
        await asyncio.sleep(0.3)
        assert classifier.scored <= scored + 1
        assert (await papers.classify("star")).status_code == 200


def test_work_of_a_client_that_went_away_is_dropped(store: Store) -> None:
    asyncio.run(departed_client(store))


async def single_beside_batches(store: Store) -> None:
    async with in_process(impatient(store, request_timeout_s=10.0), slow(store, 0.02)) as papers:
        batches = [asyncio.create_task(papers.classify(*["star"] * 60)) for _ in range(2)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert (await papers.classify("proof")).status_code == 200
        waited = time.monotonic() - began
        assert [answer.status_code for answer in await asyncio.gather(*batches)] == [200, 200]
        assert waited < 0.3, "a turn of each batch takes 0.04 s, both batches 2.4 s"


def test_large_batches_do_not_starve_a_single_paper(store: Store) -> None:
    asyncio.run(single_beside_batches(store))


async def batch_in_a_flood(store: Store) -> None:
    async with in_process(impatient(store, request_timeout_s=8.0), slow(store, 0.01)) as papers:
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
    async with in_process(impatient(store), failing(store, ValueError("a star"))) as papers:
        results = (await papers.classify("star star", "star", "proof proof")).json()["results"]
        assert [result.get("error", {}).get("code") for result in results] == [None, "internal_error", None]
        answer = await papers.classify("star")
        assert (answer.status_code, answer.json()["detail"]) == (500, "The network failed on this paper.")
        assert (await papers.client.get("/readyz")).status_code == 200


def test_a_paper_the_network_fails_on_hurts_no_other(store: Store) -> None:
    asyncio.run(one_paper_fails(store))
