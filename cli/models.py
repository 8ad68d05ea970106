"""`models`: the published versions, whether they are whole, and their cards."""

import argparse

from cli import artefacts
from cli.errors import CliError
from cli.terminal import Terminal
from model_store.errors import ArtefactError
from model_store.store import Store

_EPILOG = """\
examples:
  papers models list
  papers models verify               every version: checksums, then the golden papers
  papers models verify 1.2.0
  papers models card | less          of the newest version
  papers models card --json          its manifest, for programs

exit status: 0 fine, 1 a version is not usable, 2 there is none
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The parser of this command."""
    parser = commands.add_parser(
        "models", help="list, verify and describe the artefacts", description="The published versions of the model.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument("action", choices=("list", "verify", "card"))
    parser.add_argument("version", nargs="?", help="default: the newest for card, all for list and verify")
    parser.add_argument("--json", action="store_true", help="card: the manifest instead of the text")
    artefacts.add_options(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Returns the exit status."""
    store = artefacts.store(args)
    if args.action == "card":
        return _card(store, args.version or args.artefact_version, terminal, as_json=args.json)
    versions = [store.resolve(version=args.version).version] if args.version else store.versions()
    if not versions:
        raise CliError(f"there is no artefact in {store.root}; publish one, or name another folder with --artefacts")
    tell = _verified if args.action == "verify" else _listed
    told = [tell(store, version) for version in versions]
    for line, _ in told:
        terminal.say(line)
    return 0 if all(fine for _, fine in told) else 1


def _card(store: Store, version: str, terminal: Terminal, *, as_json: bool) -> int:
    artefact = store.open(version=version)
    terminal.say(artefact.manifest.model_dump_json(indent=2) if as_json else artefact.card().rstrip())
    return 0


def _listed(store: Store, version: str) -> tuple[str, bool]:
    try:
        artefact = store.open(version=version)
    except ArtefactError as error:
        return f"{version}  unusable: {error}", False
    manifest = artefact.manifest
    size = sum(entry.bytes for entry in manifest.files.values()) / 1e6
    what = f"{manifest.name}, {len(manifest.labels)} labels, micro-F1 {manifest.quality.micro_f1:.3f}, {size:.1f} MB"
    return f"{version}  {what}, {manifest.created[:10]}", True


def _verified(store: Store, version: str) -> tuple[str, bool]:
    try:
        artefact = store.open(version=version)
        artefacts.proven(artefact)
    except ArtefactError as error:
        return f"{version}  FAILED: {error}", False
    return f"{version}  fine: {len(artefact.files)} files, {len(artefact.golden().papers)} golden papers", True
