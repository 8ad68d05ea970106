"""Train a classifier of papers, publish it, and see how good it is.

  python -m training init papers.csv                    write a commented configuration for your file
  python -m training run training/configs/full.toml     pretrain (if asked for), fit, baseline and publish
  python -m training compare training/configs/compare.toml
                                                        variants of a run, several seeds each, in one table
  torchrun --standalone --nproc-per-node 2 -m training fit CONFIG
                                                        the same in two processes or on two GPUs
  python -m training evaluate latest papers.csv         measure a published version on labelled papers

Files of a run are kept in runs/NAME-VERSION; the artefact goes into model_store/artefacts/NAME/VERSION.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from model_store.errors import ModelStoreError
from model_store.store import Store
from tables import TableError
from training import stages
from training.comparison.compare import compare
from training.config import read_config
from training.data.columns import ColumnChoice
from training.drafting.init import init
from training.errors import TrainingError
from training.evaluation.evaluate import Question, evaluate, open_artefact, table
from training.fitting.distributed import ProcessGroup, destroy_process_group
from training.preflight import check_run, check_version
from training.run import TrainingRun

_STORE = Path("model_store/artefacts")
_EVALUATE = """\
Ask an artefact about labelled papers, exactly as it is served, and report how good its answers are.

  python -m training evaluate latest papers.csv
  python -m training evaluate 1.1.0 papers.csv --output report-1.1.0
  python -m training evaluate runs/artefacts/0.0.1 papers.csv --against latest

The output folder gets report.html (open it in a browser; it needs no network), figures.json (the same
numbers for programs) and mistakes.csv (wrong labels, the most confident first; it holds titles, the
other two hold no text). DATA is CSV, JSON lines (both also .gz) or parquet, in one of two layouts:

  title, abstract and a column of 0 and 1 per label, named as the artefact names its labels
  title, abstract and categories (arXiv's), read by the [data.categories] of the run that made the artefact

A column `id` goes into mistakes.csv; a column update_date, date or year gives figures by year.
Duplicates, empty texts and papers without any label are left out and counted, as in training.
"""
_COMPARE = """\
Run variants of a configuration with several seeds on the same papers, and tell what each is worth.

  python -m training compare training/configs/compare.toml
  python -m training compare training/configs/compare.toml --variant tail-32 --variant head-32

The comparison's file names a run, seeds and variants, each a few keys of the run set otherwise. Every
fitted network scores the validation papers in fp32. Means, deviations and differences paired by seed go
into table.md and table.json, pictures beside them, anew after each run; every variant has its turn with
one seed before the next. Called again, it skips what outcomes.jsonl has already, goes on where it was
cut off, and tries again what failed. Called twice at a time, the two share out the runs; on plain
processors several with one thread each get further than one with several:

  OMP_NUM_THREADS=1 python -m training compare training/configs/compare.toml
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it did what was asked, 2 if its input was at fault."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("training").setLevel(logging.INFO if ProcessGroup.from_environment().is_main else logging.WARNING)
    try:
        if options.command == "init":
            _init(options)
        elif options.command == "evaluate":
            _evaluate(options)
        elif options.command == "compare":
            folder = compare(options.comparison, options.runs, options.results, options.variant)
            sys.stdout.write(f"{folder / 'table.md'}\n")
        elif options.command == "score":
            _score(options)
        else:
            _execute(options)
    except (TrainingError, ModelStoreError, TableError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        destroy_process_group()
    return 0


def _init(options: argparse.Namespace) -> None:
    choice = ColumnChoice(options.title_column, options.abstract_column)
    sys.stdout.write(init(options.papers, options.encoder, options.output, choice))


def _evaluate(options: argparse.Namespace) -> None:
    store = Store(options.store)
    against = open_artefact(options.against, store) if options.against else None
    question = Question(open_artefact(options.artefact, store), options.data, against, options.seed)
    found = evaluate(question, options.output, options.threads)
    sys.stdout.write(f"{table(found)}\n{options.output / 'report.html'}\n")


def _score(options: argparse.Namespace) -> None:
    run = TrainingRun.open(options.config, options.runs, options.sample)
    if options.baseline:
        stages.write_baseline_scores(run, options.output)
    elif options.artefact:
        stages.write_artefact_scores(run, open_artefact(options.artefact, Store(options.store)), options.output)
    else:
        stages.write_network_scores(run, options.output)
    sys.stdout.write(f"{options.output}\n")


def _execute(options: argparse.Namespace) -> None:
    store = Store(options.store)
    if options.command in ("run", "publish", "check"):
        check_version(read_config(options.config)[0], store)
    run = TrainingRun.open(options.config, options.runs)
    check_run(run.config, run.corpus)
    if options.command == "pretrain" or (options.command == "run" and run.config.pretrain):
        stages.pretrain(run, resume=options.resume)
    if options.command in ("run", "fit"):
        stages.fit(run, resume=options.resume)
    if not ProcessGroup.from_environment().is_main:
        return  # the remaining stages use one process
    if options.command in ("run", "baseline"):
        sys.stdout.write(json.dumps({"baseline": stages.measure_baseline(run)}, indent=2) + "\n")
    if options.command in ("run", "publish"):
        sys.stdout.write(f"{stages.publish(run, store)}\n")


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__, formatter_class=shape)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    draft = commands.add_parser("init", help="write a commented configuration for a file of labelled papers")
    draft.add_argument("papers", type=Path, help="CSV, JSON lines or parquet: title, abstract, columns of 0 and 1")
    draft.add_argument("--encoder", default="bert-base-uncased", help="hub id or local folder (default: %(default)s)")
    draft.add_argument("--output", type=Path, default=Path("run.toml"), help="default: %(default)s")
    draft.add_argument("--title-column", metavar="NAME", help="default: the column named title, if there is one")
    draft.add_argument("--abstract-column", metavar="NAME", help="default: the column named abstract, if there is one")
    _add_evaluate(commands)
    stages = {
        "check": "see whether a run could be fitted and published, without starting it",
        "run": "pretrain if the configuration asks for it, then fit, baseline and publish",
        "pretrain": "let the encoder guess masked words of the papers first, as [pretrain] says; `fit` starts from it",
        "fit": "fine-tune and keep the best network's weights",
        "baseline": "measure TF-IDF with logistic regression on the same papers",
        "publish": "quantize the fitted network, hold it to its gates, publish it",
    }
    for name, what in stages.items():
        _add_stage(commands.add_parser(name, help=what, description=what.capitalize() + "."))
    what = "write what the fitted network, or another teacher, says of the training papers, for another run to learn"
    _add_score(commands.add_parser("score", help=what, description=what.capitalize() + "."))
    what = "run variants of a configuration with several seeds, and tell what each is worth"
    _add_comparison(commands.add_parser("compare", help=what, description=_COMPARE, formatter_class=shape))
    return parser


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    shape = argparse.RawDescriptionHelpFormatter
    what = "measure an artefact on labelled papers"
    parser = commands.add_parser("evaluate", help=what, description=_EVALUATE, formatter_class=shape)
    parser.add_argument(
        "artefact", metavar="ARTEFACT", help="a version in the store, `latest`, or an artefact's folder"
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="labelled papers")
    parser.add_argument("--output", type=Path, default=Path("evaluation"), help="folder (default: %(default)s)")
    parser.add_argument("--against", metavar="ARTEFACT", help="another one: differences, paired, on the same papers")
    parser.add_argument("--store", type=Path, default=_STORE, help="where versions are (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="papers side by side (default: the usable processors)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples (default: %(default)s)")


def _add_comparison(command: argparse.ArgumentParser) -> None:
    command.add_argument("comparison", type=Path, help="the comparison's TOML file: base, seeds and [[variant]]s")
    where = "where runs keep files while they work, below compare-NAME (default: %(default)s)"
    command.add_argument("--runs", type=Path, default=Path("runs"), help=where)
    what = "folder for outcomes, table and pictures, small enough to be committed (default: compare-NAME as well)"
    command.add_argument("--results", type=Path, help=what)
    what = "run this one, and the first, that it is held against; may be given several times (default: all)"
    command.add_argument("--variant", action="append", default=[], metavar="NAME", help=what)


def _add_score(command: argparse.ArgumentParser) -> None:
    _add_run(command)
    teacher = command.add_mutually_exclusive_group()
    what = "let a version in the store, `latest`, or an artefact's folder be the teacher instead"
    teacher.add_argument("--artefact", metavar="ARTEFACT", help=what)
    what = "let TF-IDF with logistic regression be the teacher, for each fifth of the papers taught by the others"
    teacher.add_argument("--baseline", action="store_true", help=what)
    command.add_argument("--store", type=Path, default=_STORE, help="where versions are (default: %(default)s)")
    command.add_argument("--sample", type=int, metavar="N", help="so many training papers, drawn as data.sample draws")
    command.add_argument("--output", type=Path, default=Path("teacher.npz"), help="default: %(default)s")


def _add_run(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("config", type=Path, help="the run's TOML file")
    stage.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep files (default: %(default)s)")


def _add_stage(stage: argparse.ArgumentParser) -> None:
    _add_run(stage)
    stage.add_argument("--store", type=Path, default=_STORE, help="where artefacts go (default: %(default)s)")
    stage.add_argument("--resume", action="store_true", help="go on where an earlier call was cut off")


if __name__ == "__main__":
    sys.exit(main())
