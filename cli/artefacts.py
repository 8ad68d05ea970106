"""The options that select an artefact, and the classifier of that artefact."""

import argparse
import os
from pathlib import Path

import model_store
from model_store.classifier import Classifier
from model_store.remote import open_store
from model_store.store import Artefact, Store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --artefacts, --model and --artefact-version, with the service's own variables as defaults."""
    folder = os.environ.get("PAPERS_ARTEFACTS") or Path(model_store.__file__).parent / "artefacts"
    group = parser.add_argument_group("which model")
    group.add_argument(
        "--artefacts", type=Path, metavar="DIR|URL", default=Path(folder),
        help="folder of published models (default: PAPERS_ARTEFACTS, or those that come with the package)",
    )  # fmt: skip
    group.add_argument(
        "--model", metavar="NAME", default=os.environ.get("PAPERS_MODEL") or None,
        help="which of them (default: PAPERS_MODEL, or the only one, or arxiv-subjects)",
    )  # fmt: skip
    group.add_argument(
        "--artefact-version", metavar="VERSION", default=os.environ.get("PAPERS_VERSION") or "latest",
        help="which version of it (default: PAPERS_VERSION, or the newest)",
    )  # fmt: skip


def store(args: argparse.Namespace) -> Store:
    """The store that the options name, in a folder or at an address such as s3://bucket/models."""
    return open_store(args.artefacts)


def opened(args: argparse.Namespace) -> Artefact:
    """The artefact that the options name; raises ArtefactError."""
    return store(args).open(args.model, args.artefact_version)


def verified_classifier(artefact: Artefact) -> Classifier:
    """A classifier that has reproduced its golden papers on this machine; raises ArtefactError."""
    return artefact.verified_classifier()
