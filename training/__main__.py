"""Runs one command of `python -m training`; see training.arguments."""

import argparse
import json
import logging
import sys
from collections.abc import Callable

from model_store.errors import ModelStoreError
from model_store.store import Store
from tables import TableError
from training import stages, teacher_scores
from training.arguments import parser
from training.comparison.compare import compare
from training.config import read_config
from training.data.column_roles import ColumnChoice
from training.data.holdout import hold_out
from training.drafting.init import init
from training.errors import TrainingError
from training.evaluation import evaluate as evaluation
from training.evaluation.evaluate import open_artefact
from training.fitting.distributed import ProcessGroup, destroy_process_group
from training.importing.importing import Import, import_model
from training.importing.paper_layout import Wanted
from training.importing.published import write_encoder
from training.preflight import check_run, check_version
from training.review.review import ERRORS, NEXT, ReviewRequest, review
from training.run import TrainingRun


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 with one line on standard error if the input is wrong."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s")
    # onnxruntime's quantization configures the root logger when it is imported, and logs every tensor.
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("training").setLevel(logging.INFO if ProcessGroup.from_environment().is_main else logging.WARNING)
    try:
        _handler(options.command)(options)
    except (TrainingError, ModelStoreError, TableError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        destroy_process_group()
    return 0


def _handler(command: str) -> Callable[[argparse.Namespace], None]:
    handlers = {
        "init": _init,
        "holdout": _hold_out,
        "evaluate": _evaluate,
        "compare": _compare,
        "review": _review,
        "import": _import,
        "score": _score,
        "encoder": _encoder,
    }
    return handlers.get(command, _execute)


def _hold_out(options: argparse.Namespace) -> None:
    kept = hold_out(options.papers, options.like, options.count, options.seed, options.output)
    sys.stdout.write(f"{kept} papers held out: {options.output}\n")


def _compare(options: argparse.Namespace) -> None:
    folder = compare(options.comparison, options.runs, options.results, options.variant)
    sys.stdout.write(f"{folder / 'table.md'}\n")


def _init(options: argparse.Namespace) -> None:
    choice = ColumnChoice(options.title_column, options.abstract_column)
    sys.stdout.write(init(options.papers, options.encoder, options.output, choice))


def _evaluate(options: argparse.Namespace) -> None:
    store = Store(options.store)
    against = open_artefact(options.against, store) if options.against else None
    request = evaluation.EvaluationRequest(open_artefact(options.artefact, store), options.data, against, options.seed)
    found = evaluation.evaluate(request, options.output, options.threads)
    sys.stdout.write(f"{evaluation.table(found)}\n{options.output / 'report.html'}\n")


def _review(options: argparse.Namespace) -> None:
    request = ReviewRequest(
        options.papers,
        options.pool,
        open_artefact(options.artefact, Store(options.store)) if options.artefact else None,
        count=options.count,
        choice=ColumnChoice(options.title_column, options.abstract_column),
        blank_is_negative=options.blank_is_negative,
    )
    found = review(request, options.output)
    sys.stdout.write(f"{found.errors} suspicious labels of {found.papers} papers: {options.output / ERRORS}\n")
    if options.pool:
        sys.stdout.write(f"{found.next} papers worth labelling: {options.output / NEXT}\n")


def _import(options: argparse.Namespace) -> None:
    wanted = Import(
        source=options.model,
        labels=options.labels,
        papers=options.calibrate,
        name=options.name,
        version=options.version,
        licence=options.licence,
        sigmoid=options.sigmoid,
        layout=Wanted(options.input, options.joiner, options.max_tokens, options.preparation),
        choice=ColumnChoice(options.title_column, options.abstract_column),
        blank_is_negative=options.blank_is_negative,
        seed=options.seed,
    )
    sys.stdout.write(f"{import_model(wanted, Store(options.store), options.runs)}\n")


def _score(options: argparse.Namespace) -> None:
    run = TrainingRun.open(options.config, options.runs, options.sample)
    if options.baseline:
        teacher_scores.write_baseline_scores(run, options.output)
    elif options.artefact:
        teacher_scores.write_artefact_scores(run, open_artefact(options.artefact, Store(options.store)), options.output)
    else:
        teacher_scores.write_network_scores(run, options.output)
    sys.stdout.write(f"{options.output}\n")


def _encoder(options: argparse.Namespace) -> None:
    if options.run:
        stages.write_encoder(TrainingRun.open(options.run, options.runs), options.output)
    else:
        write_encoder(open_artefact(options.artefact, Store(options.store)), options.output)
    sys.stdout.write(f"{options.output}\n")


def _execute(options: argparse.Namespace) -> None:
    store = Store(options.store)
    if options.command in ("run", "publish", "check"):
        check_version(read_config(options.config)[0], store, options.artefact)
    run = TrainingRun.open(options.config, options.runs)
    check_run(run.config, run.corpus)
    if options.command == "pretrain" or (options.command == "run" and run.config.pretrain):
        stages.pretrain(run, resume=options.resume)
    if options.command in ("run", "fit"):
        stages.fit(run, resume=options.resume)
    if ProcessGroup.from_environment().is_main:
        _execute_in_one_process(options, run, store)


def _execute_in_one_process(options: argparse.Namespace, run: TrainingRun, store: Store) -> None:
    if options.command == "ngrams" or (options.command == "run" and run.config.ngrams):
        stages.ngrams(run, resume=options.resume)
    if options.command in ("run", "baseline"):
        figures = stages.baseline_figures(run) if options.command == "run" else stages.measure_baseline(run)
        sys.stdout.write(json.dumps({"baseline": figures}, indent=2) + "\n")
    if options.command in ("run", "publish"):
        for folder in stages.publish(run, store, options.artefact):
            sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    sys.exit(main())
