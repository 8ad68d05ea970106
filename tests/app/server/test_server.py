"""The service as a process: start, signals, draining, slow clients, logs."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_store.store import Store
from tests import builders
from tests.app.running import ROOT, Running, environment, running, spawn
from tests.app.server.test_sockets import has_ipv6

SLOW = "tests.app.slow_service"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    store = builders.publish(folder / "artefacts")
    with running(folder, artefacts=store.root, header_timeout_s=0.5, body_timeout_s=0.5) as service:
        yield service


def talk(service: Running, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send the parts one after another and return all that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        for part in parts:
            with contextlib.suppress(ConnectionError):
                connection.sendall(part)
            time.sleep(pause_s)
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
        return received


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /classify HTTP/1.1", b"Host: papers", b"Content-Type: application/json", *headers]
    return b"\r\n".join([*lines, b"", body])


def started(folder: Path, **settings: Any) -> tuple[int, str]:
    process = spawn(folder / "log", **settings)
    code = process.wait(30)
    return code, (folder / "log").read_text()


def test_an_unknown_setting_stops_the_start_with_its_name(tmp_path: Path) -> None:
    code, said = started(tmp_path, prot=8000)
    assert code == 2
    assert said == "PAPERS_PROT is not a setting of this service; did you mean PAPERS_PORT?\n"


@pytest.mark.parametrize(
    ("argument", "code", "said"),
    [("--port=9000", 2, "error: unrecognized arguments: --port=9000"), ("--help", 0, "such as PAPERS_PORT")],
)
def test_arguments_are_refused_and_help_names_the_settings(argument: str, code: int, said: str) -> None:
    command = [sys.executable, "-m", "app", argument]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_a_broken_artefact_stops_the_start_with_one_sentence(tmp_path: Path, store: Store) -> None:
    (store.root / "tiny-subjects/1.0.0/model.onnx").write_bytes(b"")
    code, said = started(tmp_path, artefacts=store.root, log_format="human")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "model.onnx has 0 bytes, expected" in said


def test_an_old_processor_stops_the_start_before_numpy_is_imported() -> None:
    program = (
        "import sys; from app.__main__ import main; "
        "print(main(missing=['ssse3']), *({'numpy', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]
    assert done.stderr.startswith("this processor lacks ssse3 and is below x86-64-v2")


def test_a_missing_version_stops_the_start_with_one_sentence(tmp_path: Path, store: Store) -> None:
    code, said = started(tmp_path, artefacts=store.root, version="9.9.9", log_format="human")
    assert code == 1
    assert "no artefact of version '9.9.9'" in said


@pytest.mark.parametrize("host", ["::", "localhost"])
def test_every_family_of_an_address_is_served(tmp_path: Path, store: Store, host: str) -> None:
    if host == "::" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with running(tmp_path, artefacts=store.root, host=host) as service:
        for family, *_, address in socket.getaddrinfo("localhost", service.port, type=socket.SOCK_STREAM):
            if family == socket.AF_INET or has_ipv6():
                host_part = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
                assert httpx.get(f"http://{host_part}:{service.port}/livez", trust_env=False).status_code == 200


def test_a_taken_port_stops_the_start_with_one_sentence(tmp_path: Path, store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = started(tmp_path, artefacts=store.root, port=port, log_format="human")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert f"cannot listen on PAPERS_HOST=127.0.0.1, PAPERS_PORT={port}: Address already in use" in said


def test_an_origin_with_a_slash_at_its_end_stops_the_start(tmp_path: Path) -> None:
    code, said = started(tmp_path, cors_origins="https://library.example/")
    assert code == 2
    assert said.startswith("PAPERS_CORS_ORIGINS is 'https://library.example/': an origin is a scheme, a host")
    assert len(said.splitlines()) == 1


def test_a_hangup_while_the_service_starts_neither_ends_it_nor_is_lost(tmp_path: Path, store: Store) -> None:
    builders.publish(store.root, "1.1.0")
    log = tmp_path / "service.log"
    process = spawn(log, artefacts=store.root)
    try:
        held = 1 << (signal.SIGHUP - 1)
        while not held & int(status_of(process.pid, "SigBlk"), 16):
            time.sleep(0.002)
        process.send_signal(signal.SIGHUP)
        service = Running(process, log)
        with service.client() as client:
            until(lambda: 'papers_reloads_total{outcome="unchanged"} 1.0' in client.get("/metrics").text)
    finally:
        process.kill()
        process.wait(10)


def status_of(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_idle_connections_do_not_shut_out_others_under_a_low_limit_of_open_files(tmp_path: Path, store: Store) -> None:
    command = ["-c", f"ulimit -n 60; exec {sys.executable} -m app"]
    log = tmp_path / "service.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["/bin/sh", *command], cwd=ROOT, env=environment(artefacts=store.root, threads=1), stderr=stream
        )
    try:
        service = Running(process, log)
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
            assert httpx.get(f"{service.url}/livez", trust_env=False).status_code == 200
        assert "connection limit reached" in service.messages()
        assert "the limit of open files allows fewer connections" in service.messages()
    finally:
        process.kill()
        process.wait(10)


def test_headers_that_trickle_in_are_cut_off(service: Running) -> None:
    began = time.monotonic()
    assert talk(service, b"POST /classify HTTP/1.1\r\n", b"Host: a\r\n", b"X: y\r\n", pause_s=0.3) == b""
    assert time.monotonic() - began < 3


def test_a_silent_connection_is_closed(service: Running) -> None:
    assert talk(service) == b""


def test_a_body_that_trickles_in_is_a_408(service: Running) -> None:
    answer = talk(service, post(b'{"ti', b"Content-Length: 20"), b"tle", pause_s=0.3)
    assert b" 408 " in answer.splitlines()[0]
    assert b"body_timeout" in answer


def test_a_declared_length_over_the_limit_is_a_413_before_the_body_arrives(service: Running) -> None:
    assert b" 413 " in talk(service, post(b"", b"Content-Length: 999999999999"))


def test_a_chunked_body_is_counted_while_it_streams(service: Running) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert b" 413 " in talk(service, post(b"", b"Transfer-Encoding: chunked"), *[chunk] * 17)


def test_a_body_shorter_than_declared_does_not_affect_other_requests(service: Running) -> None:
    assert b" 408 " in talk(service, post(b"{}", b"Content-Length: 3"))
    with service.client() as client:
        assert client.get("/readyz").status_code == 200


def test_bytes_that_are_no_http_are_a_400_with_a_problem_document(service: Running) -> None:
    answer = talk(service, b"HELO papers\r\n\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer
    both = talk(service, post(b"{}", b"Content-Length: 2", b"Transfer-Encoding: chunked"))
    assert b" 400 " in both.splitlines()[0]


def test_headers_over_the_limit_are_a_431(service: Running) -> None:
    assert b" 431 " in talk(service, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n")
    assert b" 431 " in talk(
        service, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: ", b"a" * 40_000, b"a" * 40_000, pause_s=0.1
    )


def test_there_is_no_server_header(service: Running) -> None:
    with service.client() as client:
        assert "server" not in client.get("/livez").headers


def test_after_a_termination_accepted_work_is_finished_and_the_exit_code_is_0(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, SLOW, "0.05", artefacts=store.root, threads=1, drain_notice_s=0.5) as service:
        with service.client() as client, ThreadPoolExecutor() as pool:
            batch = {"papers": [{"title": "star"}] * 20}
            accepted = [pool.submit(httpx.post, f"{service.url}/classify/batch", json=batch) for _ in range(3)]
            client.get("/livez")
            time.sleep(0.5)
            service.signal(signal.SIGTERM)
            time.sleep(0.2)
            ready = client.get("/readyz")
            refused = client.post("/classify", json={"title": "star"})
            answers = [future.result() for future in accepted]
        assert (ready.status_code, ready.json()["code"]) == (503, "draining")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert [len(answer.json()["results"]) for answer in answers] == [20] * 3
        assert service.process.wait(10) == 0


def test_after_a_termination_new_requests_get_503_for_a_while_instead_of_no_answer(
    tmp_path: Path, store: Store
) -> None:
    # With the default drain notice; without it the port would close at once.
    with running(tmp_path, artefacts=store.root) as service:
        service.signal(signal.SIGTERM)
        answers = []
        with contextlib.suppress(httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
            while True:
                answers.append(httpx.post(f"{service.url}/classify", json={"title": "star"}, trust_env=False))
        assert service.process.wait(20) == 0
    refusals = [answer for answer in answers if answer.status_code == 503]
    assert refusals
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert {(answer.headers["retry-after"], answer.headers["connection"]) for answer in refusals} == {("1", "close")}


def test_an_interrupt_does_not_wait_for_new_requests(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, artefacts=store.root, drain_notice_s=60, drain_timeout_s=60) as service:
        service.signal(signal.SIGINT)
        assert service.process.wait(20) == 0


def test_a_second_interrupt_stops_at_once(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, SLOW, "1", artefacts=store.root, threads=1, request_timeout_s=60) as service:
        with ThreadPoolExecutor() as pool:
            batch = {"papers": [{"title": "star"}] * 64}
            pool.submit(httpx.post, f"{service.url}/classify/batch", json=batch)
            time.sleep(0.5)
            service.signal(signal.SIGINT)
            until(lambda: "draining" in service.messages())
            service.signal(signal.SIGINT)
            began = time.monotonic()
            service.process.wait(15)
        assert time.monotonic() - began < 10  # the batch would take a minute
        assert "stopped without waiting for accepted work" in service.messages()


def test_clients_that_do_not_read_do_not_hold_up_a_termination(tmp_path: Path, store: Store) -> None:
    with (
        running(tmp_path, artefacts=store.root, threads=1, drain_notice_s=0) as service,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(5):
            stuck = stack.enter_context(socket.socket())
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", service.port))
            stuck.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: papers\r\n\r\n" * 8)
        time.sleep(0.3)
        service.signal(signal.SIGTERM)
        assert service.process.wait(15) == 0


def test_a_drain_ends_at_its_limit(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, SLOW, "0.5", artefacts=store.root, threads=1, drain_timeout_s=0.5) as service:
        with ThreadPoolExecutor() as pool:
            batch = {"papers": [{"title": "star"}] * 64}
            pool.submit(httpx.post, f"{service.url}/classify/batch", json=batch)
            time.sleep(0.5)
            service.signal(signal.SIGTERM)
            began = time.monotonic()
            assert service.process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert "drain limit reached" in service.messages()


def test_work_of_a_closed_connection_is_dropped(tmp_path: Path, store: Store) -> None:
    body = b'{"papers": [' + b", ".join([b'{"title": "star"}'] * 30) + b"]}"
    request = post(body, b"Content-Length: %d" % len(body)).replace(b"/classify", b"/classify/batch")
    with running(tmp_path, SLOW, "0.1", artefacts=store.root, threads=1) as service, service.client() as client:
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(request)
            time.sleep(0.3)
        began = time.monotonic()
        assert client.post("/classify", json={"title": "proof"}).status_code == 200
        assert time.monotonic() - began < 1.0
        assert 'http_response_status_code="499"' in client.get("/metrics").text


def test_sighup_brings_the_newest_version_into_service(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, artefacts=store.root) as service, service.client() as client:
        assert client.get("/model").json()["version"] == "1.0.0"
        builders.publish(store.root, "1.1.0")
        service.signal(signal.SIGHUP)
        until = time.monotonic() + 5
        while client.get("/model").json()["version"] != "1.1.0":
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_service_is_free_of_torch() -> None:
    program = "import sys, app.main, app.server; print({'torch', 'transformers', 'sklearn'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", program], env=environment()) == b"set()\n"


def test_no_text_reaches_the_log(service: Running) -> None:
    with service.client() as client:
        for document in ({"title": "zanzibar star"}, {"title": ["zanzibar"]}, {"papers": [{"title": "zanzibar"}, 1]}):
            for path in ("/classify", "/classify/batch"):
                client.post(path, json=document)
        client.get("/zanzibar?zanzibar=1", headers={"x-request-id": "the-last"})
    assert service.lines_of("the-last")
    assert "zanzibar" not in str(service.log())


def test_every_request_is_one_line_of_json(service: Running) -> None:
    with service.client(headers={"x-request-id": "r-1"}) as client:
        client.post("/classify", json={"title": "a star"})
    (line,) = service.lines_of("r-1")
    expected = {"request_id": "r-1", "route": "/classify", "status": 200, "papers": 1, "tokens": 2}
    assert line | expected | {"model_version": "1.0.0"} == line
    assert {"tokenize_ms", "queue_ms", "infer_ms", "total_ms"} <= line.keys()
