"""The clients against the real application."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from client import AsyncClient, Client, Failure, Paper, Result, ServiceError
from tests import builders
from tests.client.bridges import served

T = TypeVar("T")
PAPERS = [Paper("quantum star", id=str(i)) if i % 7 else Paper("a proof", "algebra", str(i)) for i in range(30)]


def awaited(settings: Settings, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """The result of `ask` with a service in this process."""

    async def run() -> T:
        app = create_app(settings)
        async with app.router.lifespan_context(app) as given:
            state = dict(given or {})

            async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
                await app({**scope, "state": dict(state)}, receive, send)

            async with AsyncClient(transport=httpx.ASGITransport(with_state)) as client:
                return await ask(client)

    return asyncio.run(run())


def test_a_paper_gets_labels_and_a_probability_for_each(client: Client) -> None:
    result = client.classify("quantum star", paper_id="a/1")
    assert (result.id, result.labels, result.status) == ("a/1", ["Physics"], "ok")
    assert list(result.probabilities) == ["Computer Science", "Physics", "Mathematics"]
    assert result.model.version == "1.0.0"


def test_many_papers_come_back_in_order_in_batches_of_the_services_limit(client: Client) -> None:
    answers = list(client.classify_many(iter(PAPERS)))
    assert [answer.id for answer in answers] == [paper.id for paper in PAPERS]
    assert answers[0] == client.classify(*PAPERS[0][:2], paper_id="0")


def test_an_invalid_paper_is_a_failure_and_does_not_affect_others(client: Client) -> None:
    bad = [Paper(" ", id="blank"), Paper("a" * 3000), Paper("half a pair \ud800")]
    good, *failures, last = client.classify_many([PAPERS[0], *bad, PAPERS[1]])
    assert isinstance(good, Result)
    assert isinstance(last, Result)
    assert [isinstance(answer, Failure) and answer.error.code for answer in failures] == ["invalid_request"] * 3
    assert failures[0].id == "blank"


def test_papers_are_taken_from_the_iterable_as_results_are_consumed(client: Client) -> None:
    drawn: list[int] = []

    def papers() -> Iterator[Paper]:
        for i in range(1000):
            drawn.append(i)
            yield Paper("star")

    answers = client.classify_many(papers())
    next(answers)
    assert len(drawn) <= 64


def test_a_bad_single_paper_raises_with_status_code_and_detail(client: Client) -> None:
    with pytest.raises(ServiceError, match="422 invalid_request: The paper has neither") as caught:
        client.classify(" ")
    assert (caught.value.status, caught.value.code) == (422, "invalid_request")
    assert caught.value.problem is not None


def test_the_card_and_readiness_are_returned(client: Client) -> None:
    assert client.ready()
    card = client.card()
    assert [label.name for label in card.labels] == ["Computer Science", "Physics", "Mathematics"]
    assert card.labels[0].f1_interval == [0.8, 1.0]


def test_the_async_client_returns_the_same_results(settings: Settings, client: Client) -> None:
    async def ask(asynchronous: AsyncClient) -> list[object]:
        many = [answer async for answer in asynchronous.classify_many(PAPERS)]
        return [
            many,
            await asynchronous.classify("star", "a proof"),
            await asynchronous.explain("star", "a proof"),
            await asynchronous.card(),
            await asynchronous.ready(),
        ]

    expected = [
        list(client.classify_many(PAPERS)),
        client.classify("star", "a proof"),
        client.explain("star", "a proof"),
        client.card(),
        client.ready(),
    ]
    assert awaited(settings, ask) == expected


def test_evidence_refers_to_sentences_of_the_text(client: Client) -> None:
    paper = Paper("𝒳 proof of the theorem.", "Algebra, a manifold. We star the network.", "a/1")
    explained = client.explain(*paper)
    assert Result(**{name: getattr(explained, name) for name in Result.model_fields}) == client.classify(*paper)
    (evidence,) = explained.evidence
    assert (evidence.label, explained.merged) == ("Mathematics", False)
    weighed = {sentence.of(paper).strip(): sentence.weight or 0.0 for sentence in evidence.sentences}
    assert list(weighed) == ["𝒳 proof of the theorem.", "Algebra, a manifold.", "We star the network."]
    assert weighed["Algebra, a manifold."] > 0 > weighed["We star the network."]


def test_the_only_sentence_has_no_weight(client: Client) -> None:
    ((sentence,),) = (evidence.sentences for evidence in client.explain("star").evidence)
    assert sentence.weight is None


def test_a_new_version_is_loaded_with_a_key(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"operator:{hashlib.sha256(b'a key').hexdigest()}:reload\n")
    locked = settings.model_copy(update={"api_key_file": tmp_path / "keys"})
    with served(locked) as transport:
        operator = Client(api_key="a key", transport=transport)
        assert operator.reload().outcome == "unchanged"
        builders.publish(settings.artefacts, "1.1.0")
        reload = operator.reload()
        assert (reload.outcome, reload.model) == ("switched", operator.classify("star").model)
        with pytest.raises(ServiceError, match="401 unauthorized"):
            Client(transport=transport).reload()


def test_the_async_client_raises_when_a_reload_is_refused(settings: Settings) -> None:
    with pytest.raises(ServiceError, match="403 forbidden"):
        awaited(settings, lambda client: client.reload())


def test_the_key_is_sent_as_the_service_expects(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"librarian:{hashlib.sha256(b'a key').hexdigest()}\n")
    locked = settings.model_copy(update={"api_key_file": tmp_path / "keys"})
    with served(locked) as transport:
        assert Client(api_key="a key", transport=transport).classify("star").labels == ["Physics"]
        with pytest.raises(ServiceError, match="401 unauthorized"):
            Client(api_key="another", transport=transport).classify("star")


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with Client("http://somebody:secret@127.0.0.1:9") as client:
        assert not client.ready()
        with pytest.raises(
            ServiceError, match=r"unreachable: no answer from http://127.0.0.1:9 .*ConnectError"
        ) as caught:
            client.classify("star")
    assert caught.value.status is None


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "http://", "http://a:b"])
def test_an_invalid_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="expected one like http"):
        Client(url)
