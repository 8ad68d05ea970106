"""The command line: `python -m training fit CONFIG`."""

import argparse
import logging
import sys
from pathlib import Path

from training.config import read_config
from training.errors import TrainingError
from training.run import Workplace, fit_stage


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it did what was asked, 2 if its input was at fault."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        config, _ = read_config(options.config)
        place = Workplace(options.runs / f"{config.name}-{config.version}")
        fit_stage(config, place, resume=options.resume)
    except TrainingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="fine-tune and keep the weights")
    fit.add_argument("config", type=Path)
    fit.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep their files (default: runs)")
    fit.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser


if __name__ == "__main__":
    sys.exit(main())
