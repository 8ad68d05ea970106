"""Compares the service with other ways to serve the same network, side by side in one run.

  python -m benchmarks.peers papers_test.csv.gz --output DIR
  python -m benchmarks.peers papers_test.csv.gz --output DIR --peer torch --peer "this service" --seconds 5

Each peer gets an environment of its own (made once, below --environments), the same weights in fp32 from the artefact,
and the same papers with their real lengths. Peers take turns in every round, one server at a time, on all processors
together with the load generator (wrk, which must be installed). A peer that cannot be installed or fails is named with
the reason. Environments are made first; then the longest time that the measurements can take is printed. DIR gets
turns.jsonl, table.md and pictures; a later call with the same DIR takes the missing turns.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tqdm import tqdm

from benchmarks.peers.environment import InstallationFailed, prepare
from benchmarks.peers.measuring import Sample
from benchmarks.peers.plan import Plan
from benchmarks.peers.report import write_report
from benchmarks.peers.turns import Field, Participant, Turns
from model_store.cpus import usable_cpus
from model_store.store import Artefact, Store
from training.data.corpus import read_papers

_RATES = (10.0, 20.0, 40.0, 80.0, 160.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the turns that are missing, then write table and pictures."""
    compare(parser().parse_args(arguments))


def compare(options: argparse.Namespace) -> Turns:
    """Take the missing ones of the turns that the options select, and rewrite the report after each."""
    artefact = Store(options.store).open(options.model, options.version)
    labels, papers = read_papers(options.papers)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "machine.json").write_text(json.dumps(_machine(artefact), indent=2))
    rates = tuple(_RATES if options.rate is None else options.rate)
    plan = Plan(options.seconds, rates, options.sample, options.answers, start_s=options.start_limit)
    sample = Sample.of(papers, labels, artefact.manifest.labels)
    field = Field(artefact, options.environments, sample, plan, options.output / "servers.log")
    chosen = _chosen(field.participants(), options.peer or [""])
    turns = Turns(options.output / "turns.jsonl")
    prepared = _prepared(chosen, turns, options.environments)
    if not options.prepare:
        _take_turns(turns, prepared, plan, options)
    return turns


def _chosen(participants: Sequence[Participant], wanted: Sequence[str]) -> list[Participant]:
    """The participants with one of these names; other names select all participants whose names contain them."""
    names = {participant.name for participant in participants}
    return [p for p in participants if any(part == p.name or (part not in names and part in p.name) for part in wanted)]


def _take_turns(turns: Turns, chosen: Sequence[Participant], plan: Plan, options: argparse.Namespace) -> None:
    missing = [p for number in range(options.rounds) for p in chosen if turns.count(p.name) <= number]
    longest = sum(plan.server_limit_s() if p.is_server else plan.loop_limit_s() for p in missing)
    expected = sum(plan.expected_server_s() if p.is_server else plan.expected_loop_s() for p in missing)
    print(f"{len(missing)} turns: about {expected / 60:.0f} minutes, at most {longest / 60:.0f}", flush=True)
    for participant in tqdm(missing, unit="turn"):
        turns.take(participant, options.environments)
        write_report(options.output)


def _prepared(chosen: Sequence[Participant], turns: Turns, environments: Path) -> list[Participant]:
    """The participants whose environments exist or can be made; the failure of the others is recorded."""
    prepared = []
    for participant in tqdm(chosen, unit="environment"):
        try:
            prepare(environments, participant.packages)
            prepared.append(participant)
        except InstallationFailed as error:
            turns.record(participant, {"failed": str(error)})
    return prepared


def _machine(artefact: Artefact) -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpuinfo)}
    instructions = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if name in fields.get("flags", "")]
    return {
        "processor": ", ".join(
            [fields.get("model name", platform.machine()), f"{usable_cpus()} usable", *instructions]
        ),
        "python": f"Python {platform.python_version()}",
        "artefact": f"{artefact.manifest.name} {artefact.manifest.version}",
        "date": date.today().isoformat(),
    }


def parser() -> argparse.ArgumentParser:
    """The options of a comparison."""
    shape = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__, formatter_class=shape)
    made.add_argument("papers", type=Path, help="labelled papers with title and abstract")
    made.add_argument("--output", type=Path, required=True, help="folder for turns, table and pictures")
    made.add_argument("--environments", type=Path, default=Path("runs/peers"), help="default: %(default)s")
    made.add_argument("--store", type=Path, default=Path("model_store/artefacts"), help="default: %(default)s")
    made.add_argument("--model", default="arxiv-subjects", help="artefact's name (default: %(default)s)")
    made.add_argument("--version", default="latest", help="artefact's version (default: %(default)s)")
    made.add_argument(
        "--peer", action="append", metavar="PART", help="only this peer, or all with this part; repeatable"
    )
    made.add_argument("--rounds", type=int, default=1, help="turns of each peer (default: %(default)s)")
    made.add_argument("--seconds", type=int, default=4, help="of each load, whole ones (default: %(default)s)")
    made.add_argument("--sample", type=int, default=400, help="papers that are sent (default: %(default)s)")
    made.add_argument("--answers", type=int, default=400, help="papers for the micro-F1 (default: %(default)s)")
    made.add_argument("--rate", type=float, action="append", help=f"open loop, a second; repeatable; default {_RATES}")
    made.add_argument(
        "--start-limit", type=float, default=45, help="seconds to the first answer (default: %(default)s)"
    )
    made.add_argument("--prepare", action="store_true", help="only make environments and networks; measure nothing")
    return made


if __name__ == "__main__":
    main()
