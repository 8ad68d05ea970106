"""`serve`: start the service by its own entry point; the options are settings of the service."""

import argparse
import os

from cli.errors import CliError
from cli.terminal import Terminal

_OPTIONS = {
    "host": "address to listen on (default: 127.0.0.1)",
    "port": "port, 0 for any free one (default: 8000)",
    "artefacts": "folder of published versions",
    "model": "name of the model to serve (default: the only one, or arxiv-subjects)",
    "version": "version to serve (default: the newest)",
}
_EPILOG = """\
examples:
  papers serve                       http://127.0.0.1:8000, with the newest artefact
  papers serve --port 9000
  PAPERS_THREADS=2 papers serve      every other setting is a variable PAPERS_..., see docs/operations.md
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "serve", help="answer requests over HTTP", description="Start the service and run until a signal.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    for name, text in _OPTIONS.items():
        parser.add_argument(f"--{name}", help=text)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Returns the service's own exit status."""
    try:
        from app.__main__ import main
    except ImportError as error:
        raise CliError(f"serving needs {error.name}: install the extra `serve`") from None
    # The service is configured by environment variables alone; options are a shorter form of some of them.
    os.environ.update({f"PAPERS_{name.upper()}": value for name in _OPTIONS if (value := getattr(args, name))})
    return main()
