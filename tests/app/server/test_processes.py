"""Several processes on one port: common metrics, signals, replacement of processes that die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from model_store.store import Store
from tests import builders
from tests.app.running import Running, environment, running, spawn


def children(service: Running) -> set[int]:
    """The processes that answer requests, without those of multiprocessing itself."""
    pid = service.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def in_service(service: Running, version: str = "1.0.0") -> int:
    return [line.get("version") for line in service.log() if line["message"] == "in service"].count(version)


@pytest.fixture
def pair(tmp_path: Path, store: Store) -> Iterator[Running]:
    with running(tmp_path, artefacts=store.root, processes=2, threads=4) as service:
        until(lambda: in_service(service) == 2)
        with service.client() as client:
            until(lambda: client.get("/readyz").status_code == 200)
        yield service


def test_a_killed_process_is_replaced_and_the_metrics_are_those_of_all_processes(pair: Running) -> None:
    first = children(pair)
    assert len(first) == 2
    # A connection each, so that both processes get some.
    for _ in range(20):
        with pair.client() as client:
            assert client.post("/classify", json={"title": "star"}).status_code == 200
    os.kill(min(first), signal.SIGKILL)
    until(lambda: in_service(pair) == 3)
    until(lambda: len(children(pair)) == 2)
    assert children(pair) & first == {max(first)}
    with pair.client() as client:
        until(lambda: "papers_threads 4.0" in client.get("/metrics").text)
        assert sum(counted(client.get("/metrics").text)) == 20
        until(lambda: resident_bytes(client) > 0.9 * sum(resident_of(child) for child in children(pair)))
    assert "process replaced" in pair.messages()


def resident_bytes(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes "))


def resident_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def counted(exposition: str) -> list[float]:
    return [
        float(line.split(" ")[1]) for line in exposition.splitlines() if line.startswith("papers_classified_total{")
    ]


def test_a_termination_ends_all_processes_with_exit_code_0(pair: Running) -> None:
    pair.signal(signal.SIGTERM)
    assert pair.process.wait(20) == 0
    assert pair.messages().count("draining") == 2


def test_a_hangup_reloads_all_processes(pair: Running, store: Store) -> None:
    builders.publish(store.root, "1.1.0")
    pair.signal(signal.SIGHUP)
    until(lambda: in_service(pair, "1.1.0") == 2)


def test_no_process_outlives_the_one_that_started_it(pair: Running) -> None:
    workers = children(pair)
    pair.signal(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_an_interrupt_of_the_whole_process_group_is_handled_once_by_each(tmp_path: Path, store: Store) -> None:
    """Ctrl-C reaches every process of a terminal's group; heard twice, it would drop accepted work."""
    log = tmp_path / "service.log"
    process = spawn(log, artefacts=store.root, processes=2, threads=2)
    try:
        service = Running(process, log)
        until(lambda: in_service(service) == 2)
        groups = {os.getpgid(child) for child in children(service)}
        assert os.getpgid(process.pid) not in groups
        service.signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert service.messages().count("draining") == 2
        assert "stopped without waiting for accepted work" not in service.messages()
    finally:
        process.kill()
        process.wait(10)


def test_a_late_crash_is_replaced_whatever_its_exit_code(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, "tests.app.crashing_service", artefacts=store.root, processes=2, threads=2) as service:
        until(lambda: in_service(service) == 2)
        first = children(service)
        os.kill(min(first), signal.SIGUSR1)
        until(lambda: in_service(service) == 3)
        assert service.process.poll() is None
        replaced = next(line for line in service.log() if line["message"] == "process replaced")
        assert replaced["exit_code"] == 7


def test_an_unexpected_exception_of_a_process_is_logged_as_json_without_its_message(
    tmp_path: Path, store: Store
) -> None:
    log = tmp_path / "log"
    process = spawn(log, "tests.app.crashing_service", artefacts=store.root, processes=2, model="defect")
    assert process.wait(60) == 1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["error"] for line in lines if line["message"] == "uncaught exception"} == {"RuntimeError"}
    assert "a submitted text" not in log.read_text()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_missing_folder_of_metrics_stops_the_start_with_a_sentence(
    tmp_path: Path, store: Store, processes: int
) -> None:
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "nowhere")}
    process = spawn(tmp_path / "log", variables=variables, artefacts=store.root, processes=processes)
    assert process.wait(60) == 1
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    reasons = {line["message"] for line in lines if line["level"] == "critical"}
    assert reasons == {
        f"cannot start: PROMETHEUS_MULTIPROC_DIR is {str(tmp_path / 'nowhere')!r}, "
        "expected an existing folder that this process may write to"
    }


def test_several_processes_without_a_temporary_folder_stop_the_start_with_a_sentence(tmp_path: Path) -> None:
    # What tempfile finds on a read-only file system: no folder at all.
    start = (
        "import os, sys, tempfile; from app.main import create_app; from app.settings import Settings;"
        "from app.server.processes import Processes; tempfile.tempdir = sys.argv[1];"
        "sys.exit(Processes(Settings.read(os.environ), create_app).run())"
    )
    command = [sys.executable, "-c", start, str(tmp_path / "nowhere")]
    ended = subprocess.run(command, env=environment(processes=2), capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["message"].startswith("cannot start: several processes share a temporary folder;")


def test_a_broken_artefact_ends_all_processes_with_exit_code_1(tmp_path: Path, store: Store) -> None:
    (store.root / "tiny-subjects/1.0.0/model.onnx").write_bytes(b"")
    process = spawn(tmp_path / "log", artefacts=store.root, processes=2)
    assert process.wait(60) == 1
    log = (tmp_path / "log").read_text()
    assert "cannot start: " in log
    assert "running on" not in log


def test_the_address_is_logged_once_a_process_serves(pair: Running) -> None:
    messages = [line["message"] for line in pair.log()]
    (announced,) = [place for place, message in enumerate(messages) if message.startswith("running on")]
    assert announced > messages.index("in service")
