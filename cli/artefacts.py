"""Which artefact a command works with: the options, and the classifier they lead to."""

import argparse
import os
from pathlib import Path

import model_store
from model_store.classifier import Classifier
from model_store.store import Artefact, Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """--artefacts and --artefact-version, with the service's own variables as defaults."""
    folder = os.environ.get("PAPERS_ARTEFACTS") or Path(model_store.__file__).parent / "artefacts"
    parser.add_argument(
        "--artefacts", type=Path, metavar="DIR", default=Path(folder),
        help="folder of published versions (default: PAPERS_ARTEFACTS, or those that come with the package)",
    )  # fmt: skip
    parser.add_argument(
        "--artefact-version", metavar="VERSION", default=os.environ.get("PAPERS_VERSION") or "latest",
        help="which of them (default: PAPERS_VERSION, or the newest)",
    )  # fmt: skip


def store(args: argparse.Namespace) -> Store:
    """The folder that the options name."""
    return Store(args.artefacts)


def proven(artefact: Artefact) -> Classifier:
    """A classifier that has reproduced its golden papers on this machine; raises ArtefactError."""
    return artefact.proven()
