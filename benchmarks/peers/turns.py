"""Who takes part in a comparison, and the turn of each."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.peers.derived import in_fp32, without_exits
from benchmarks.peers.environment import InstallationFailed, installed_megabytes, prepare
from benchmarks.peers.measuring import Sample, measure_loop, measure_server
from benchmarks.peers.model_folder import write_model_folder
from benchmarks.peers.peer import (
    LOOP,
    LOOP_FP32,
    LOOP_WITHOUT_EXITS,
    SERVICE_WITHOUT_EXITS,
    Peer,
    peers,
    service,
)
from benchmarks.peers.plan import Plan
from benchmarks.peers.running import running
from model_store.cpus import usable_cpus
from model_store.store import Artefact, Store

Turn = dict[str, Any]


@dataclass(frozen=True)
class Participant:
    """A server or a loop that is measured, in turn with the others."""

    name: str
    note: str
    packages: tuple[str, ...]
    """Of its environment; none for the service's own."""
    is_server: bool
    measure: Callable[[Path], Turn]
    """From its environment."""


@dataclass(frozen=True)
class Field:
    """The participants of a comparison, and what they share."""

    artefact: Artefact
    folder: Path
    """For the environments, and the files that are derived from the artefact."""
    sample: Sample
    plan: Plan
    log: Path

    def participants(self) -> list[Participant]:
        """All of them: this service, the others, and the networks without a server."""
        manifest = self.artefact.manifest
        made = self.folder / f"{manifest.name}-{manifest.version}-{self.artefact.sha256[:12]}"
        network = write_model_folder(self.artefact, made / "network")
        store = self.artefact.folder.parents[1]
        servers = [*peers(store, manifest.name, manifest.version)]
        loops = {LOOP: self.artefact}
        if manifest.exits:
            complete = without_exits(self.artefact, Store(made / "without_exits"))
            loops[LOOP_WITHOUT_EXITS] = complete
            servers.insert(1, service(SERVICE_WITHOUT_EXITS, complete.folder.parents[1], manifest.name, "latest"))
        loops[LOOP_FP32] = in_fp32(self.artefact, network, Store(made / "fp32"))
        return [self._server(peer, network) for peer in servers] + [self._loop(*loop) for loop in loops.items()]

    def _server(self, peer: Peer, network: Path) -> Participant:
        limit_s = self.plan.server_limit_s()

        def measure(place: Path) -> Turn:
            paper = self.sample.papers.papers[0]
            with running(peer, place, network, paper, self.log, self.plan.start_s, limit_s) as server:
                return measure_server(server, self.sample, self.plan)

        return Participant(peer.name, peer.note, peer.packages, True, measure)

    def _loop(self, name: str, artefact: Artefact) -> Participant:
        def measure(place: Path) -> Turn:
            return measure_loop(artefact.folder, place, self.sample, self.plan, usable_cpus())

        return Participant(name, "", (), False, measure)


class Turns:
    """The turns taken so far, in a file, so that an interrupted comparison continues where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Turn]:
        """All turns, in their order."""
        return [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []

    def count(self, name: str) -> int:
        """How many turns a participant has completed."""
        return sum(turn["peer"] == name and "failed" not in turn for turn in self.read())

    def take(self, participant: Participant, environments: Path) -> None:
        """Measure once and record it, or the reason why that failed."""
        self.record(participant, _turn(participant, environments))

    def record(self, participant: Participant, turn: Turn) -> None:
        """Add a turn, or `{"failed": reason}`."""
        with self._path.open("a") as file:
            file.write(json.dumps({"peer": participant.name, "note": participant.note} | turn) + "\n")


def _turn(participant: Participant, environments: Path) -> Turn:
    try:
        place = prepare(environments, participant.packages)
        return participant.measure(place) | {"installed_mb": installed_megabytes(place)}
    except (InstallationFailed, RuntimeError, httpx.HTTPError, OSError) as error:
        return {"failed": str(error) or type(error).__name__}
    except subprocess.TimeoutExpired as error:
        return {"failed": f"took longer than {error.timeout:g} s"}
    except subprocess.CalledProcessError as error:
        last = ((error.stderr or "").strip().splitlines() or ["no message"])[-1]
        return {"failed": f"{Path(error.cmd[0]).name} ended with status {error.returncode}: {last}"}
    except (LookupError, TypeError, ValueError) as error:
        return {"failed": f"its answers are not those of a multi-label classifier: {type(error).__name__} {error}"}
