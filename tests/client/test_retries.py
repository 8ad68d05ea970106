"""Which requests are repeated, how often and when."""

import asyncio
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import AsyncClient, Client, Failure, Paper, Result, Retries, ServiceError
from client.retries import retry_after
from tests.client.bridges import FakeSleep, Script, Scripted, problem, sized

OK: dict[str, object] = {
    "probabilities": {"A": 0.5}, "labels": [], "status": "uncertain",
    "input": {"tokens": 1, "tokens_used": 1, "truncated": False, "abstract": False},
    "model": {"name": "m", "version": "1.0.0", "sha256": "0"},
}  # fmt: skip


def batch_of(*results: dict[str, object]) -> str:
    return json.dumps({"results": results, "model": OK["model"]})


def ok() -> httpx.Response:
    return httpx.Response(200, json=OK)


def scripted(*replies: Scripted, retries: Retries | None = None) -> tuple[Client, Script, FakeSleep]:
    script, sleep = Script(*replies), FakeSleep()
    client = Client(transport=httpx.MockTransport(script), sleep=sleep, clock=sleep.clock, retries=retries)
    return client, script, sleep


@pytest.mark.parametrize(
    "fault",
    [
        problem(408, "body_timeout"),
        problem(429, "queue_full"),
        problem(503, "not_ready"),
        problem(504, "deadline_passed"),
        httpx.Response(502, text="<html>"),
        httpx.ConnectTimeout("far"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
def test_transient_failures_are_retried(fault: Scripted) -> None:
    client, script, sleep = scripted(fault, fault, ok())
    assert client.classify("star").status == "uncertain"
    assert len(script.requests) == 3
    assert 0.125 <= sleep.slept[0] <= 0.25 <= sleep.slept[1] <= 0.5


def test_a_refused_connection_is_not_retried_before_the_first_response() -> None:
    client, script, sleep = scripted(httpx.ConnectError("refused"))
    with pytest.raises(ServiceError, match=r"no answer from http://127\.0\.0\.1:8000 \(ConnectError\); is the service"):
        client.classify("star")
    assert (len(script.requests), sleep.slept) == (1, [])


def test_a_refused_connection_is_retried_after_the_first_response() -> None:
    refused = httpx.ConnectError("refused")
    client, script, _ = scripted(problem(401, "unauthorized"), refused, refused, ok())
    with pytest.raises(ServiceError, match="401"):
        client.classify("star")
    assert client.classify("star").status == "uncertain"
    assert len(script.requests) == 4


def test_a_refused_connection_is_retried_if_so_configured() -> None:
    retries = Retries(before_first_answer=True)
    client, script, _ = scripted(httpx.ConnectError("refused"), ok(), retries=retries)
    client.classify("star")
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 500])
def test_permanent_failures_are_not_retried(status: int) -> None:
    client, script, _ = scripted(problem(status, "a_code"))
    with pytest.raises(ServiceError) as caught:
        client.classify("star")
    assert (caught.value.status, caught.value.code, len(script.requests)) == (status, "a_code", 1)


def test_retry_after_is_respected() -> None:
    client, _, sleep = scripted(httpx.Response(429, headers={"Retry-After": "7"}), ok())
    client.classify("star")
    assert 7 <= sleep.slept[0] <= 7.25


def test_the_number_of_tries_is_bounded() -> None:
    client, script, _ = scripted(problem(503, "draining"), retries=Retries(tries=3))
    with pytest.raises(ServiceError, match="503 draining"):
        client.classify("star")
    assert len(script.requests) == 3


def test_a_pause_that_exceeds_the_total_time_is_not_started() -> None:
    busy = httpx.Response(429, headers={"Retry-After": "25"})
    client, script, sleep = scripted(busy, retries=Retries(tries=99, total_s=60))
    with pytest.raises(ServiceError, match="429 no_problem"):
        client.classify("star")
    assert (len(script.requests), len(sleep.slept)) == (3, 2)


@given(st.integers(1, 30), st.none() | st.floats(0, 100), st.floats(0, 0.999))
def test_a_pause_is_neither_shorter_than_asked_nor_longer_than_allowed(
    tried: int, asked: float | None, jitter: float
) -> None:
    pause = Retries().pause(tried, 20.0, asked, jitter)
    assert pause is None or (asked or 0.0) <= pause <= 40.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 02 Jan 2026 10:00:09 GMT", "date": "Fri, 02 Jan 2026 10:00:04 GMT"}, 5.0),
        ({"retry-after": "Fri, 02 Jan 2026 10:00:00 GMT", "date": "Fri, 02 Jan 2026 10:00:04 GMT"}, 0.0),
        ({"retry-after": "Fri, 02 Jan 2026 10:00:09 GMT"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize("limit", [40, 7, 1])
def test_a_batch_too_large_for_the_service_is_sent_in_parts(limit: int) -> None:
    seen: list[int] = []
    client = Client(transport=httpx.MockTransport(sized(limit, seen)))
    papers = [Paper("star", id=str(i)) for i in range(100)]
    assert [answer.id for answer in client.classify_many(papers)] == [paper.id for paper in papers]
    assert seen[0] == 64
    assert sum(size for size in seen if size <= limit) == 100


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(problem(408, "body_timeout"), id="too slow to arrive"),
        pytest.param(problem(504, "deadline_passed"), id="too slow to finish"),
        pytest.param(httpx.Response(413, text="<html>"), id="too large for a proxy"),
    ],
)
def test_a_batch_that_may_succeed_in_parts_is_halved_without_a_pause(refusal: httpx.Response) -> None:
    result = {name: OK[name] for name in ("probabilities", "labels", "status", "input")}
    half = httpx.Response(200, json={"results": [result] * 5, "model": OK["model"]})
    client, script, sleep = scripted(refusal, half)
    assert len(list(client.classify_many([Paper("star")] * 10))) == 10
    sizes = [len(json.loads(request.content)["papers"]) for request in script.requests]
    assert (sizes, sleep.slept) == ([10, 5, 5], [])


def test_a_paper_that_arrives_too_slowly_by_itself_is_sent_again() -> None:
    result = {name: OK[name] for name in ("probabilities", "labels", "status", "input")}
    one = httpx.Response(200, json={"results": [result], "model": OK["model"]})
    client, script, sleep = scripted(problem(408, "body_timeout"), one)
    (answer,) = client.classify_many([Paper("star")])
    assert isinstance(answer, Result)
    assert (len(script.requests), len(sleep.slept)) == (2, 1)


def test_a_single_paper_that_is_too_large_is_a_failure() -> None:
    client = Client(transport=httpx.MockTransport(sized(0, [])))
    (answer,) = client.classify_many([Paper("star", id="x")])
    assert isinstance(answer, Failure)
    assert (answer.id, answer.error.code) == ("x", "body_too_large")


def test_the_limit_of_the_service_is_remembered() -> None:
    refusal = problem(422, "invalid_request", limit=2, errors=[{"pointer": "#/papers", "detail": "64, at most 2"}])
    result = {name: OK[name] for name in ("probabilities", "labels", "status", "input")}
    two = httpx.Response(200, json={"results": [result] * 2, "model": OK["model"]})
    client, script, _ = scripted(refusal, two)
    assert len(list(client.classify_many([Paper("star")] * 70))) == 70
    assert len(script.requests) == 1 + 35


def test_a_paper_is_sent_again_by_itself_after_the_engine_stalled() -> None:
    stalled = {"id": "x", "error": problem(503, "engine_stalled").json()}
    batch = httpx.Response(200, json={"results": [stalled], "model": OK["model"]})
    client, script, _ = scripted(batch, problem(429, "queue_full"), ok())
    (answer,) = client.classify_many([Paper("star", id="x")])
    assert isinstance(answer, Result)
    assert [request.url.path for request in script.requests] == ["/classify/batch", "/classify", "/classify"]


def test_a_paper_that_stalls_the_engine_every_time_is_a_failure() -> None:
    stalled = problem(503, "engine_stalled")
    batch = httpx.Response(200, json={"results": [{"error": stalled.json()}], "model": OK["model"]})
    client, _, _ = scripted(batch, stalled)
    (answer,) = client.classify_many([Paper("star")])
    assert isinstance(answer, Failure)


@pytest.mark.parametrize("body", ["<html>", "{}", batch_of(), batch_of({}), batch_of(OK, OK)])
def test_a_response_of_an_unexpected_shape_raises_a_service_error(body: str) -> None:
    client, _, _ = scripted(httpx.Response(200, text=body))
    with pytest.raises(ServiceError, match="unreadable"):
        client.classify("star")
    with pytest.raises(ServiceError, match="unreadable"):
        list(client.classify_many([Paper("star")]))
    with pytest.raises(ServiceError, match="unreadable"):
        client.explain("star")
    with pytest.raises(ServiceError, match="unreadable"):
        client.reload()


@pytest.mark.parametrize("status", ["out_of_scope", "a word of tomorrow"])
def test_an_unknown_status_is_passed_on(status: str) -> None:
    result = {**OK, "status": status}
    client, _, _ = scripted(httpx.Response(200, json=result), httpx.Response(200, text=batch_of(result)))
    assert client.classify("star").status == status
    (answer,) = client.classify_many([Paper("star")])
    assert isinstance(answer, Result)
    assert answer.status == status


def test_a_refusal_that_smaller_batches_do_not_avoid_is_raised() -> None:
    client, script, _ = scripted(problem(422, "invalid_request", limit=99, errors=[{"pointer": "#", "detail": "x"}]))
    with pytest.raises(ServiceError, match="422 invalid_request"):
        list(client.classify_many([Paper("star")] * 2))
    assert len(script.requests) == 1


def test_ready_returns_false_while_the_service_is_starting() -> None:
    client, script, _ = scripted(problem(503, "not_ready"), httpx.ConnectError("no"), problem(401, "unauthorized"))
    assert (client.ready(), client.ready(), len(script.requests)) == (False, False, 2)
    with pytest.raises(ServiceError, match="401"):
        client.ready()


def test_the_async_client_retries_as_well() -> None:
    script, sleep = Script(httpx.ReadError("cut"), problem(429, "queue_full"), ok()), FakeSleep()

    async def sleep_async(seconds: float) -> None:
        sleep(seconds)

    async def ask() -> Result:
        async with AsyncClient(transport=httpx.MockTransport(script), sleep=sleep_async, clock=sleep.clock) as client:
            return await client.classify("star")

    assert asyncio.run(ask()).status == "uncertain"
    assert len(sleep.slept) == 2


def test_no_error_contains_the_text_of_the_paper() -> None:
    client, _, _ = scripted(httpx.Response(500, text="a secret star"), retries=Retries(tries=1))
    with pytest.raises(ServiceError) as caught:
        client.classify("a secret star")
    assert "secret" not in str(caught.value)
