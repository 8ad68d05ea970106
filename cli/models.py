"""`models`: list and verify the published versions, and show their cards."""

import argparse

from cli import artefacts
from cli.errors import CliError
from cli.terminal import Terminal
from model_store.errors import ArtefactError
from model_store.manifest import Manifest
from model_store.store import Artefact, Store

_EPILOG = """\
examples:
  papers models list
  papers models verify               every version: checksums, then the golden papers
  papers models verify 1.2.0 --model arxiv-subjects
  papers models card | less          of the newest version
  papers models card --json          its manifest, for programs

exit status: 0 fine, 1 a version is not usable, 2 there is none
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "models", help="list, verify and describe the artefacts", description="The published versions of the models.",
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
        return _show_card(store.open(args.model, args.version or args.artefact_version), terminal, as_json=args.json)
    releases = _releases(store, args)
    if not releases:
        raise CliError(f"there is no artefact in {store.place}; publish one, or name another folder with --artefacts")
    check = _verified if args.action == "verify" else _listed
    lines = [check(store, name, version) for name, version in releases]
    for line, _ in lines:
        terminal.say(line)
    return 0 if all(fine for _, fine in lines) else 1


def _releases(store: Store, args: argparse.Namespace) -> list[tuple[str, str]]:
    """Names and versions: the version given, all those of --model, or all."""
    if args.version:
        release = store.resolve(args.model, args.version)
        return [(release.name, release.version)]
    names = [args.model] if args.model else store.names()
    return [(name, version) for name in names for version in store.versions(name)]


def _show_card(artefact: Artefact, terminal: Terminal, *, as_json: bool) -> int:
    terminal.say(artefact.manifest.model_dump_json(indent=2) if as_json else artefact.card().rstrip())
    return 0


def _listed(store: Store, name: str, version: str) -> tuple[str, bool]:
    try:
        artefact = store.open(name, version)
    except ArtefactError as error:
        return f"{version}  {name}, unusable: {error}", False
    manifest = artefact.manifest
    size = sum(entry.bytes for entry in manifest.files.values()) / 1e6
    facts = f"{name}, {len(manifest.labels)} labels, {_quality(manifest)}, {size:.1f} MB"
    return f"{version}  {facts}, {manifest.created[:10]}", True


def _quality(manifest: Manifest) -> str:
    if manifest.test is not None:
        return f"micro-F1 {manifest.test.micro_f1:.3f} on test papers"
    if manifest.quality is not None:
        return f"micro-F1 {manifest.quality.micro_f1:.3f} on validation papers"
    return "quality not measured"


def _verified(store: Store, name: str, version: str) -> tuple[str, bool]:
    try:
        artefact = store.open(name, version)
        artefacts.verified_classifier(artefact)
    except ArtefactError as error:
        return f"{version}  FAILED: {error}", False
    papers = len(artefact.golden().papers)
    return f"{version}  fine: {len(artefact.files)} files, {papers} golden papers, of {name}", True
