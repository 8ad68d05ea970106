"""`python -m cli`, installed as `papers`: the entry point of the command line."""

import argparse
import os
import sys
from collections.abc import Sequence

from cli.errors import CliError
from cli.terminal import Terminal
from model_store.processor import missing_features, sentence_for_old_processor

_EPILOG = """\
start here:
  papers classify --title "A compiler for quantum circuits"
  papers classify papers.csv -o labelled.csv
  papers serve
  papers doctor

Every command has its own --help with examples.
"""


def main(
    argv: Sequence[str] | None = None, terminal: Terminal | None = None, missing: Sequence[str] | None = None
) -> int:
    """Run one command and return its exit status; 2 for errors, 130 after Ctrl-C.

    `missing` are the features that the processor lacks, by default as the system reports them.
    """
    terminal = terminal or Terminal.standard()
    if missing := missing_features() if missing is None else list(missing):
        # Checked before numpy is imported, which would end in a traceback.
        terminal.warn(f"papers: {sentence_for_old_processor(missing)}")
        return 2
    # Imported late for the reason above.
    from model_store.errors import ModelStoreError
    from tables import TableError

    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args, terminal)
        terminal.out.flush()
    except (CliError, ModelStoreError, TableError) as error:
        terminal.warn(f"papers {args.command}: {error}")
        return 2
    except KeyboardInterrupt:
        terminal.warn("\ninterrupted; to continue a .csv or .jsonl output, use --resume")
        return 130
    except BrokenPipeError:
        # The reader, for instance `head`, has closed the pipe; Python would report that again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        terminal.warn(f"papers {args.command}: {error.filename or 'the output'}: {error.strerror}")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    from cli import classify, doctor, models, serve

    parser = argparse.ArgumentParser(
        prog="papers", description="Label papers by subject.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (serve, classify, doctor, models):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
