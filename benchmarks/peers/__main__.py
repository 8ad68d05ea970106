"""Compares the service with other ways to serve the same network, side by side in one run.

  python -m benchmarks.peers papers_test.csv.gz --output DIR
  python -m benchmarks.peers papers_test.csv.gz --output DIR --peer torch --seconds 5 --rounds 1

Each peer gets an environment of its own (made once, below --environments), the same weights in fp32 from the artefact,
and the same papers with their real lengths. Peers take turns in every round, one server at a time, on all processors
together with the load generator (wrk, which must be installed). DIR gets results.jsonl, one line per peer and round,
from which table.md and the pictures are made; a call with the same DIR adds rounds.
"""

import argparse
import json
import platform
import subprocess
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tqdm import tqdm

from benchmarks.peers.environment import installed_megabytes, prepare
from benchmarks.peers.load import closed_loop, open_loop
from benchmarks.peers.model_folder import write_model_folder
from benchmarks.peers.peer import Peer, peers
from benchmarks.peers.report import write_report
from benchmarks.peers.running import Running, running
from model_store.cpus import usable_cpus
from model_store.papers import Paper
from model_store.store import Artefact, Store
from training.data.corpus import read_papers
from training.data.papers import Papers
from training.evaluation.metrics import micro_f1

_CLIENTS = (1, 4, 16, 64)
_WARM_UP_S = 2


def main() -> None:
    """Run all rounds, then write table and pictures."""
    options = _parser().parse_args()
    artefact = Store(options.store).open(options.model, options.version)
    labels, papers = read_papers(options.papers)
    options.output.mkdir(parents=True, exist_ok=True)
    folder = write_model_folder(artefact, options.environments / "model")
    chosen = [
        peer
        for peer in peers(options.model, artefact.manifest.version, usable_cpus())
        if any(part in peer.name for part in options.peer or [""])
    ]
    places = _prepared(chosen, options.environments, options.output)
    for _ in tqdm(range(options.rounds), unit="round"):
        for peer in tqdm(list(places), unit="peer", leave=False):
            with running(peer, places[peer.name], folder, papers.papers[0], options.output / "servers.log") as server:
                found = _measure(server, artefact, labels, papers, options)
            found |= {"installed_mb": installed_megabytes(places[peer.name])}
            with (options.output / "results.jsonl").open("a") as file:
                file.write(json.dumps(found) + "\n")
    (options.output / "machine.json").write_text(json.dumps(_machine(artefact), indent=2))
    write_report(options.output)


def _prepared(chosen: list[Peer], environments: Path, output: Path) -> dict[str, Path]:
    """The peers' environments by name; a peer that cannot be installed is left out and named in missing.json."""
    places, missing = {}, {}
    for peer in tqdm(chosen, unit="environment"):
        try:
            places[peer.name] = prepare(environments, peer.packages)
        except subprocess.CalledProcessError as error:
            missing[peer.name] = f"pip ended with status {error.returncode}"
    (output / "missing.json").write_text(json.dumps(missing, indent=2))
    return places


def _measure(
    server: Running, artefact: Artefact, labels: tuple[str, ...], papers: Papers, options: argparse.Namespace
) -> dict[str, Any]:
    peer = server.peer
    bodies = [peer.request(paper) for paper in papers.papers[: options.sample]]
    resident_at_start = server.resident_megabytes()
    closed_loop(server.url, bodies, 1, _WARM_UP_S)
    closed = {clients: asdict(closed_loop(server.url, bodies, clients, options.seconds)) for clients in _CLIENTS}
    titles = [peer.request(Paper(paper.title)) for paper in papers.papers[: options.sample]]
    found = {
        "peer": peer.name,
        "note": peer.note,
        "first_answer_s": server.first_answer_s,
        "resident_at_start_mb": resident_at_start,
        "closed": closed,
        "titles": {16: asdict(closed_loop(server.url, titles, 16, options.seconds))},
        "open": {rate: asdict(open_loop(server.url, bodies, rate, options.seconds)) for rate in options.rate},
    }
    found["resident_mb"] = server.resident_megabytes()
    return found | {"micro_f1": _micro_f1(server, artefact, labels, papers, options.sample)}


def _micro_f1(server: Running, artefact: Artefact, labels: tuple[str, ...], papers: Papers, sample: int) -> float:
    """Of the answers received, with the artefact's thresholds."""
    thresholds = {label.name: label.threshold for label in artefact.manifest.labels}
    decisions = []
    with httpx.Client(timeout=60, headers={"Content-Type": "application/json"}) as client:
        for paper in papers.papers[:sample]:
            answer = client.post(server.url, content=server.peer.request(paper)).raise_for_status().json()
            scores = server.peer.scores(answer)
            decisions.append([scores.get(label, 0.0) >= thresholds[label] for label in labels])
    return micro_f1(papers.targets[:sample] > 0, np.array(decisions))


def _machine(artefact: Artefact) -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpuinfo)}
    instructions = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if name in fields.get("flags", "")]
    return {
        "processor": ", ".join(
            [fields.get("model name", platform.machine()), f"{usable_cpus()} usable", *instructions]
        ),
        "python": platform.python_version(),
        "artefact": f"{artefact.manifest.name} {artefact.manifest.version}",
        "date": date.today().isoformat(),
    }


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__, formatter_class=shape)
    parser.add_argument("papers", type=Path, help="labelled papers with title and abstract")
    parser.add_argument("--output", type=Path, required=True, help="folder for results, table and pictures")
    parser.add_argument("--environments", type=Path, default=Path("runs/peers"), help="default: %(default)s")
    parser.add_argument("--store", type=Path, default=Path("model_store/artefacts"), help="default: %(default)s")
    parser.add_argument("--model", default="arxiv-subjects", help="artefact's name (default: %(default)s)")
    parser.add_argument("--version", default="latest", help="artefact's version (default: %(default)s)")
    parser.add_argument(
        "--peer", action="append", metavar="PART", help="only peers whose name has this part; repeatable"
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each peer (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each load (default: %(default)s)")
    parser.add_argument("--sample", type=int, default=400, help="papers that are sent (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, action="append", default=[], help="open loop: requests a second; repeatable"
    )
    return parser


if __name__ == "__main__":
    main()
