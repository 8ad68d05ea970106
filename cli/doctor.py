"""`doctor`: check this machine, the artefact and the speed, and report for people or as JSON."""

import argparse
import dataclasses
import json
import platform
from importlib.metadata import PackageNotFoundError, version

from cli import artefacts
from cli.checkup import Checkup, check_up
from cli.errors import CliError
from cli.machine import Machine, read_machine
from cli.terminal import Terminal

_LIBRARIES = ("onnxruntime", "tokenizers", "numpy")
_EPILOG = """\
examples:
  papers doctor
  papers doctor --json > report.json      to go with a question or a bug report

exit status: 0 everything is fine, 1 something is wrong
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "doctor", help="check machine, artefact and speed", description="Check this machine and the artefact on it.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="how long to measure (default: 3)")
    artefacts.add_options(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Returns the exit status."""
    if not 0 < args.seconds <= 600:
        raise CliError(f"--seconds is {args.seconds}, expected more than 0 and at most 600")
    machine = read_machine()
    checkup = check_up(lambda: artefacts.opened(args), machine.threads, args.seconds)
    terminal.say(
        _json(machine, checkup) if args.json else "\n".join([*_machine_lines(machine), *_artefact_lines(checkup)])
    )
    return 1 if checkup.wrong else 0


def _json(machine: Machine, checkup: Checkup) -> str:
    about = {"machine": dataclasses.asdict(machine), "libraries": _libraries(), **dataclasses.asdict(checkup)}
    return json.dumps(about, indent=2)


def _libraries() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def _machine_lines(machine: Machine) -> list[str]:
    quota = "none" if machine.quota is None else f"{machine.quota} processors"
    features = machine.features or {}
    speed = {True: "one instruction", False: "no single instruction: slower here", None: "unknown"}[machine.fast_int8]
    return [
        f"processor  {machine.processor} ({machine.architecture})",
        f"int8       {speed}; {', '.join(f'{name} {_yes(has)}' for name, has in features.items()) or 'unknown'}",
        f"threads    {machine.threads} of {machine.processors} processors; affinity {machine.affinity}, quota {quota}",
        f"libraries  {', '.join(f'{name} {number}' for name, number in _libraries().items())}",
    ]


def _artefact_lines(checkup: Checkup) -> list[str]:
    lines = []
    if artefact := checkup.artefact:
        size = sum(artefact.files.values()) / 1e6
        lines.append(
            f"artefact   {artefact.name} {artefact.version}, {len(artefact.files)} files, {size:.1f} MB, checksums fine"
        )
    if replay := checkup.golden:
        difference = f"{replay.largest_difference:.2g} of allowed {replay.tolerance:.2g}"
        lines.append(f"golden     {replay.papers} papers as recorded; largest difference {difference}")
    if speed := checkup.speed:
        lines.append(
            f"speed      {speed.papers_per_s:.1f} papers/s on {speed.threads}; one alone {speed.ms_alone:.1f} ms"
        )
    lines.append(f"WRONG      {checkup.wrong}" if checkup.wrong else "fine")
    return lines


def _yes(has: bool) -> str:
    return "yes" if has else "no"
