"""Train a classifier of papers and publish it.

  python -m training run training/configs/full.toml     everything below, in this order
  python -m training fit CONFIG                         fine-tune, keep the weights
  python -m training baseline CONFIG                    what TF-IDF makes of the same papers
  python -m training publish CONFIG                     quantize, hold to the gates, publish

Files of a run are kept in runs/NAME-VERSION; the artefact goes into model_store/artefacts/VERSION.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from model_store.errors import ModelStoreError
from model_store.store import Store
from training.errors import TrainingError
from training.run import TrainingRun


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it did what was asked, 2 if its input was at fault."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    try:
        _execute(options)
    except (TrainingError, ModelStoreError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _execute(options: argparse.Namespace) -> None:
    run = TrainingRun(options.config, options.runs)
    if options.command in ("run", "fit"):
        run.fit(resume=options.resume)
    if options.command in ("run", "baseline"):
        sys.stdout.write(json.dumps({"baseline": run.baseline()}, indent=2) + "\n")
    if options.command in ("run", "publish"):
        sys.stdout.write(f"{run.publish(Store(options.store))}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("run", "fit", "baseline", "publish"))
    parser.add_argument("config", type=Path, help="the run's TOML file")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep their files (default: runs)")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("model_store/artefacts"),
        help="where artefacts are published (default: model_store/artefacts)",
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier call was cut off")
    return parser


if __name__ == "__main__":
    sys.exit(main())
