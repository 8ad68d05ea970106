"""`papers classify --url`: the same table through a service in a process of its own."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from cli.errors import CliError
from cli.labellers import Prediction
from cli.remote import RETRIES, RemoteLabeller, connect
from cli.statuses import described
from cli.terminal import Terminal
from client import Client, Retries
from model_store.papers import Paper
from tests import builders
from tests.app.running import running
from tests.cli.command import ROWS, Command, write_csv
from tests.client.bridges import FakeSleep, problem, served


class Mixed(httpx.BaseTransport):
    """A service that is replaced by another one after it has shown its card."""

    def __init__(self, card: httpx.BaseTransport, papers: httpx.BaseTransport) -> None:
        self._card = card
        self._papers = papers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        transport = self._card if request.url.path == "/model" else self._papers
        return transport.handle_request(request)


def replying(result: dict[str, object]) -> Callable[[httpx.Request], httpx.Response]:
    """A service of one label that answers every batch with this one result."""
    model = {"name": "m", "version": "1.0.0", "sha256": "0" * 64}
    told = {"created": "", "licence": "", "base_encoder": "", "limits": []}
    objects = ("calibration", "aim", "uncertain", "input", "quality", "quantization", "provenance")
    free: dict[str, object] = {name: {} for name in objects}
    card = {**model, **told, **free, "labels": [{"id": "a", "name": "A", "threshold": 0.5}]}

    def answer(request: httpx.Request) -> httpx.Response:
        asked_for_card = request.url.path == "/model"
        return httpx.Response(200, json=card if asked_for_card else {"results": [result], "model": model})

    return answer


def test_a_service_gives_the_same_table_as_the_artefact_itself(
    papers: Command, artefacts: Path, tmp_path: Path
) -> None:
    source = write_csv(tmp_path / "in.csv", [*ROWS * 10, {"ID": "blank", "TITLE": " "}])
    (tmp_path / "keys").write_text(f"curator:{hashlib.sha256(b'a key').hexdigest()}\n")
    (tmp_path / "key").write_text("a key\n")
    with running(tmp_path, artefacts=artefacts, api_key_file=tmp_path / "keys", max_papers=7) as service:
        remote = ("--url", service.url, "--key-file", tmp_path / "key")
        assert papers("classify", source, "-o", tmp_path / "remote.csv", *remote).status == 1
        refused = papers("classify", source, "--url", service.url)
    assert papers("classify", source, "-o", tmp_path / "local.csv").status == 1
    assert (tmp_path / "remote.csv").read_text() == (tmp_path / "local.csv").read_text()
    assert '"row": 31, "reason": "expected a title' in (tmp_path / "remote.csv.errors.jsonl").read_text()
    assert (refused.status, "401 unauthorized" in refused.err) == (2, True)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"--key-file is .*nowhere, which cannot be read"):
        connect("http://127.0.0.1:1", tmp_path / "nowhere")


def test_an_unreachable_service_is_reported_at_once(papers: Command) -> None:
    ran = papers("classify", "--title", "a star", "--url", "http://127.0.0.1:9")
    assert ran.status == 2
    assert ran.err == (
        "papers classify: no answer from http://127.0.0.1:9 (ConnectError); "
        "is the service running, and is the URL right?\n"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("out_of_scope", "out of scope: the text does not look like the papers the model was trained on; its"),
        ("tomorrow's", "tomorrow's"),
    ],
)
def test_an_unknown_status_is_kept(status: str, words: str) -> None:
    result: dict[str, object] = {
        "probabilities": {"A": 0.5}, "labels": ["A"], "status": status,
        "input": {"tokens": 1, "tokens_used": 1, "truncated": False, "abstract": False},
    }  # fmt: skip
    labeller = RemoteLabeller(Client(transport=httpx.MockTransport(replying(result))))
    assert labeller([Paper("star")]) == [Prediction(["A"], status, [0.5], title_only=True)]
    assert described(status).startswith(words)


def test_characters_that_the_service_refuses_are_sent_as_spaces(tmp_path: Path) -> None:
    with served(Settings(artefacts=builders.publish(tmp_path).root)) as service:
        labeller = RemoteLabeller(Client(transport=service))
        plain, unreadable = labeller([Paper("a star", "of plasma"), Paper("a\x00star", "of\ud800 plasma\x00")])
    assert isinstance(plain, Prediction)
    assert unreadable == plain


def test_a_service_that_changes_its_model_ends_the_table(tmp_path: Path) -> None:
    older, newer = (Settings(artefacts=builders.publish(tmp_path / v, v).root) for v in ("1.0.0", "2.0.0"))
    with served(older) as before, served(newer) as after:
        labeller = RemoteLabeller(Client(transport=Mixed(card=before, papers=after)))
        with pytest.raises(CliError, match=r"changed to version 2\.0\.0"):
            labeller([Paper("star")])


def test_a_service_that_breaks_ends_the_table_with_its_code(tmp_path: Path) -> None:
    broken = httpx.MockTransport(lambda request: problem(500, "internal_error"))
    with served(Settings(artefacts=builders.publish(tmp_path).root)) as fine:
        labeller = RemoteLabeller(Client(transport=Mixed(card=fine, papers=broken)))
        with pytest.raises(CliError, match="stopped answering: 500 internal_error"):
            labeller([Paper("star")])
    with pytest.raises(CliError, match="does not answer: 500"):
        RemoteLabeller(Client(transport=broken))


def labelled(text: str = "ok") -> dict[str, object]:
    """A result of a service that has the one label A."""
    saw = {"tokens": 1, "tokens_used": 1, "truncated": False, "abstract": False}
    return {"probabilities": {"A": 0.5}, "labels": ["A"], "status": text, "input": saw}


def failed(status: int, code: str) -> dict[str, object]:
    """What a batch holds in the place of a paper."""
    return {"error": json.loads(problem(status, code).content)}


LOST = httpx.ReadError("lost", request=httpx.Request("POST", "http://127.0.0.1/classify/batch"))


class Busy:
    """A service that fails so many times, in each of the ways given, before it answers."""

    def __init__(self, *failures: httpx.Response | httpx.RequestError | dict[str, object]) -> None:
        self._failures = list(failures)
        self._answer = replying(labelled())

    def __call__(self, request: httpx.Request) -> httpx.Response:
        alone = request.url.path == "/classify"
        if request.url.path == "/model" or not self._failures:
            return self._single(request) if alone else self._answer(request)
        failure = self._failures.pop(0)
        if isinstance(failure, httpx.RequestError):
            raise failure
        if isinstance(failure, dict):
            error: Any = failure["error"]
            return httpx.Response(error["status"], json=error) if alone else replying(failure)(request)
        return failure

    def _single(self, request: httpx.Request) -> httpx.Response:
        batch = self._answer(request).json()
        return httpx.Response(200, json={**batch["results"][0], "model": batch["model"]})


def remote(service: Busy, retries: Retries | None = None) -> RemoteLabeller:
    """A labeller whose pauses take no time."""
    naps, transport = FakeSleep(), httpx.MockTransport(service)
    return RemoteLabeller(Client(transport=transport, sleep=naps, clock=naps.clock, retries=retries or RETRIES))


@pytest.mark.parametrize(
    "failure",
    [
        problem(503, "engine_stalled"), problem(504, "deadline_passed"), problem(429, "queue_full"),
        problem(503, "not_ready"), httpx.Response(502, text="a proxy"), LOST,
        failed(503, "engine_stalled"), failed(504, "deadline_passed"),
    ],
    ids=lambda failure: str(failure)[:40],
)  # fmt: skip
def test_a_transient_failure_rejects_no_row(failure: httpx.Response) -> None:
    assert remote(Busy(*[failure] * 7))([Paper("star")]) == [Prediction(["A"], "ok", [0.5], title_only=True)]


@pytest.mark.parametrize("failure", [problem(503, "engine_stalled"), problem(504, "deadline_passed")])
def test_a_service_that_does_not_recover_ends_the_run_and_rejects_nothing(failure: httpx.Response) -> None:
    labeller = remote(Busy(*[failure] * 100), Retries(tries=3))
    with pytest.raises(CliError, match=r"stopped answering: 50\d .*--resume"):
        labeller([Paper("star")])


def test_a_service_cannot_send_control_characters_to_the_terminal(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, io.StringIO(), io.StringIO())
    terminal.say("label \x1b[2J\x07\u202e\x9b\ud800 é\tx")
    terminal.warn("\rreason \x00")
    assert terminal.out.getvalue() == "label \ufffd[2J\ufffd\ufffd\ufffd\ufffd é\tx\n"  # type: ignore[attr-defined]
    assert terminal.err.getvalue() == "\ufffdreason \ufffd\n"  # type: ignore[attr-defined]
    labeller = RemoteLabeller(Client(transport=httpx.MockTransport(replying(labelled("ok\x1b[31m")))))
    (result,) = labeller([Paper("star")])
    assert result == Prediction(["A"], "ok\ufffd[31m", [0.5], title_only=True)
