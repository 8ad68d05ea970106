"""`python -m benchmarks.capacity`: measure costs, simulate the plan, compare with a real run."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.settings import Settings
from benchmarks.capacity import __doc__ as description
from benchmarks.capacity import plan as plans
from benchmarks.capacity import plots
from benchmarks.capacity.costs import COSTS, Costs
from benchmarks.capacity.measure import measure
from benchmarks.capacity.plan import Plan
from benchmarks.capacity.validation import validate
from benchmarks.markdown import insert
from client import Retries
from model_store.cpus import usable_cpus

_DOCS = Path(__file__).parents[2] / "docs"
_PICTURES = {
    "day": "Papers per second, capacity of the fleet and waiting times over the day",
    "deadline": "Instances and waiting times around the deadline",
    "load": "Waiting times and lost requests by load",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the three commands."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _plan(options: argparse.Namespace) -> None:
    plan, costs = Plan.read(options.plan), Costs.read(options.costs)
    groups = {
        "day": {"the day": replace(plans.day(plan), end_s=options.hours * 3600)},
        "deadline": plans.deadlines(plan),
        "patient": plans.sweep(costs, Retries()),
        "impatient": plans.sweep(costs, Retries(tries=1)),
        "losses": plans.losses(costs),
        "backfills": plans.backfills(plan),
    }
    runs = plans.simulate_all(groups, costs, options.processes)
    (day,) = runs["day"].values()
    tables = {
        "costs": plans.costs_table(costs),
        "load": plans.sweep_table(runs["patient"], runs["impatient"]),
        **{name: plans.table(runs[name]) for name in ("losses", "deadline", "backfills", "day")},
        "price": plans.cost_table(day, plan, costs),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    plots.draw_sweep(runs["patient"], runs["impatient"], options.output / "load.png")
    plots.draw_deadline(runs["deadline"], options.output / "deadline.png")
    plots.draw_day(day, costs.capacity, options.output / "day.png")
    for name, text in _PICTURES.items():
        tables[name] += f"\n\n![{text}]({options.output.name}/{name}.png)"
    for content in tables.values():
        print(content, end="\n\n")
    if options.document:
        insert(options.document, tables)


def _measure(options: argparse.Namespace) -> None:
    command = shlex.join(["python", "-m", "benchmarks.capacity", *sys.argv[1:]])
    costs = measure(options.papers, options.sample, options.threads, _service(options), command)
    costs.write(options.costs)
    print(plans.costs_table(costs))


def _validate(options: argparse.Namespace) -> None:
    content = validate(options.papers, options.sample, options.seconds, _service(options))
    print(content)
    if options.document:
        insert(options.document, {"validation": content})


def _service(options: argparse.Namespace) -> dict[str, Any]:
    """Settings of the service that say which artefact it has."""
    return {"artefacts": options.store, "model": options.model, "version": options.version}


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity", description=description, formatter_class=shape
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("plan", help="simulate the scenarios, print tables, draw pictures")
    command.set_defaults(run=_plan)
    command.add_argument("--costs", type=Path, default=COSTS, help="default: %(default)s")
    command.add_argument("--plan", type=Path, default=plans.PLAN, help="default: %(default)s")
    command.add_argument("--output", type=Path, default=_DOCS / "scale", help="of the pictures (default: %(default)s)")
    command.add_argument("--document", type=Path, help="put the tables into this document, too")
    command.add_argument("--hours", type=float, default=24, help="of the day (default: %(default)s)")
    command.add_argument("--processes", type=int, default=usable_cpus(), help="scenarios at a time (default: all)")
    command = commands.add_parser("measure", help="measure what papers cost on this machine")
    command.set_defaults(run=_measure)
    _add_service(command)
    command.add_argument("--costs", type=Path, default=COSTS, help="file to write (default: %(default)s)")
    command.add_argument("--threads", type=int, default=usable_cpus(), help="of the instance (default: all processors)")
    command = commands.add_parser("validate", help="compare two real services behind HAProxy with their simulation")
    command.set_defaults(run=_validate)
    _add_service(command)
    command.add_argument("--seconds", type=float, default=120, help="of load (default: %(default)s)")
    command.add_argument("--document", type=Path, help="put the table into this document, too")
    return parser


def _add_service(command: argparse.ArgumentParser) -> None:
    command.add_argument("papers", type=Path, help="a table with titles and abstracts")
    command.add_argument("--sample", type=int, default=400, help="papers that are sent (default: %(default)s)")
    command.add_argument("--store", type=Path, default=Settings().artefacts, help="default: the bundled artefacts")
    command.add_argument("--model", default="arxiv-subjects", help="artefact's name (default: %(default)s)")
    command.add_argument("--version", default="latest", help="artefact's version (default: %(default)s)")


if __name__ == "__main__":
    main()
