"""Admission control: limits by number, cost and time, and the estimate of the pace."""

import asyncio
import random

import pytest

from app.inference.admission import Admission, Pace, cost_of, cost_of_longest
from app.inference.errors import QueueFull, RequestTooLarge
from model_store.papers import Paper


def admission(papers: int = 10, cost: int = 100, wait_s: float = 5.0, pace: Pace | None = None) -> Admission:
    return Admission(papers, cost, wait_s, pace or Pace(1))


def measured(workers: int, cost: int, seconds: float) -> Pace:
    pace = Pace(workers)
    pace.observe(cost, seconds)
    return pace


def test_papers_are_limited() -> None:
    queue = admission(papers=10)
    with queue.reserve(8, 8), pytest.raises(QueueFull), queue.reserve(3, 3):
        pass
    with queue.reserve(10, 10):
        assert queue.papers == 10
    assert queue.papers == 0


def test_cost_is_limited() -> None:
    queue = admission(cost=100)
    with queue.reserve(1, 60), pytest.raises(QueueFull) as refusal, queue.reserve(1, 41):
        pass
    assert (refusal.value.limit, refusal.value.actual) == (100, 101)
    with queue.reserve(1, 60), queue.reserve(1, 40):
        assert queue.cost == 100
    assert queue.cost == 0


def test_work_that_cannot_be_done_in_time_is_refused() -> None:
    queue = admission(wait_s=5.0, pace=measured(workers=2, cost=10, seconds=1.0))
    with queue.reserve(1, 90), pytest.raises(QueueFull), queue.reserve(1, 11):
        pass
    with queue.reserve(1, 90), queue.reserve(1, 10):
        pass


def test_a_request_that_is_not_read_yet_counts_as_an_average_paper() -> None:
    queue = admission(papers=999, cost=10**6, wait_s=5.0, pace=measured(workers=1, cost=10, seconds=1.0))
    for _ in range(200):
        with queue.reserve(1, 10):
            pass
    with queue.reserve(3, 30):
        assert queue.refusal() is None
        with queue.reserve(2, 20):
            assert isinstance(queue.refusal(), QueueFull)
    assert queue.refusal() is None


def test_a_late_event_loop_leaves_less_time_but_never_none() -> None:
    queue = admission(wait_s=5.0, pace=measured(workers=1, cost=10, seconds=1.0))
    queue.loop_delay_s = 60.0
    with queue.reserve(2, 20):
        assert queue.refusal(1, 5) is None
        assert queue.refusal(1, 10) is not None
        queue.loop_delay_s = 0.0
        assert queue.refusal(1, 10) is None


def test_the_empty_queue_accepts_one_paper_whatever_the_estimate_and_the_cost() -> None:
    queue = admission(wait_s=0.1, pace=measured(workers=1, cost=1, seconds=10.0))
    with queue.reserve(1, 500):
        assert queue.cost == 500


@pytest.mark.parametrize(("papers", "cost", "limit"), [(11, 11, 10), (2, 101, 100)])
def test_requests_that_never_fit_are_distinguished_from_those_that_wait(papers: int, cost: int, limit: int) -> None:
    queue = admission()
    with pytest.raises(RequestTooLarge) as refusal, queue.reserve(papers, cost):
        pass
    assert (refusal.value.limit, refusal.value.retry_after_s) == (limit, None)


def test_retry_after_is_the_waiting_work_at_the_measured_pace() -> None:
    queue = admission(papers=1, wait_s=60, pace=measured(workers=2, cost=10, seconds=1.0))
    with queue.reserve(1, 70), pytest.raises(QueueFull) as refusal, queue.reserve(1, 1):
        pass
    assert refusal.value.retry_after_s == 4


def test_an_empty_queue_is_noticed() -> None:
    async def scene() -> None:
        queue = admission()
        await queue.empty()
        with queue.reserve(1, 1):
            waiting = asyncio.create_task(queue.empty())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(scene())


def test_the_pace_follows_the_speed_of_the_machine() -> None:
    pace = measured(workers=1, cost=1, seconds=1.0)
    for _ in range(64):
        pace.observe(1, 0.1)
    assert pace.seconds_for(10) == pytest.approx(1.0)


def test_one_straggler_does_not_change_the_pace() -> None:
    chance = random.Random(3)
    pace = Pace(1)
    for i in range(40):
        cost = chance.choice((8, 250))
        pace.observe(cost, cost * (15.0 if i in (5, 30) else 0.1) * chance.uniform(0.9, 1.1))
        assert pace.seconds_for(1) == pytest.approx(0.1, rel=0.2)


def test_the_pace_is_right_for_a_mixture_of_short_and_long_papers() -> None:
    pace = Pace(1)
    for _ in range(32):
        pace.observe(10, 4.0)
        pace.observe(200, 20.0)
    assert pace.seconds_for(210) == pytest.approx(24.0, rel=0.1)


def test_characters_cost_what_tokenizing_them_takes_beyond_what_the_network_reads() -> None:
    abstract, rare_words = Paper("", "x" * 1_200), Paper("", "x" * 100_000)
    assert cost_of(abstract, max_tokens=320) == 29 + 240 + 37
    assert cost_of(rare_words, max_tokens=320) == 29 + 320 + 3_125


def test_even_the_shortest_paper_has_a_cost_of_its_own() -> None:
    title, abstract = Paper("x" * 78), Paper("x" * 78, "x" * 952)
    assert cost_of(abstract, max_tokens=320) / cost_of(title, max_tokens=320) == pytest.approx(15.8 / 2.7, rel=0.05)


def test_no_paper_that_is_not_cut_off_costs_more_than_the_longest() -> None:
    assert cost_of_longest(320) == cost_of(Paper("", "x" * 1_600), max_tokens=320) == 29 + 320 + 50
