"""The arguments of `python -m training`."""

import argparse
from pathlib import Path

STORE = Path("model_store/artefacts")
_WHICH = "NAME/VERSION, NAME, VERSION, `latest`, or an artefact's folder"

_DESCRIPTION = """\
Train a classifier of papers, publish it, and evaluate it.

  python -m training init papers.csv                    write a commented configuration for your file
  python -m training run training/configs/full.toml     pretrain (if asked for), fit, baseline and publish
  python -m training compare training/configs/compare.toml
                                                        variants of a run, several seeds each, in one table
  torchrun --standalone --nproc-per-node 2 -m training fit CONFIG
                                                        the same in two processes or on two GPUs
  python -m training import my-model --calibrate papers.csv
                                                        publish a classifier that was fine-tuned elsewhere
  python -m training evaluate latest papers.csv         measure a published version on labelled papers
  python -m training review papers.csv                  list labels that are probably wrong

Files of a run are kept in runs/NAME-VERSION; the artefact goes into model_store/artefacts/NAME/VERSION.
"""
_EVALUATE = """\
Measure an artefact on labelled papers, scored as the service scores them, and write a report.

  python -m training evaluate latest papers.csv
  python -m training evaluate my-subjects/0.2.0 papers.csv --output report-0.2.0
  python -m training evaluate my-subjects/0.2.0 papers.csv --against my-subjects/0.1.0

ARTEFACT is NAME/VERSION, NAME (its newest version), VERSION or `latest` (of the store's default model), or a folder.
The output folder will contain report.html (open it in a browser; it needs no network), figures.json (the same
numbers for programs) and mistakes.csv (wrong labels, the most confident first; it holds titles, the
other two hold no text). DATA is a table of any format in docs/tables.md, in one of two layouts:

  titles, abstracts and a column of 0 and 1 per label, named as the artefact names its labels
  titles, abstracts and arXiv's categories, read by the [data.categories] of the run that made the artefact

A column `id` goes into mistakes.csv; a column update_date, date or year gives figures by year.
Duplicates and empty texts are left out and counted, as in training. Papers without any label count as
negatives in the first layout and are left out in the second.
"""
_HOLDOUT = """\
Draw papers with categories that a run leaves out of training (data.held_out), for the thresholds and the calibration
of an artefact whose labels are categories ([[publish]] validation).
"""
_ENCODER = """\
Write an encoder that has been fine-tuned as a folder in the Hugging Face layout, for `source` in [encoder] or for
`init --encoder`. The weights of an artefact are those of its graph, which are rounded to int8.
"""
_COMPARE = """\
Run variants of a configuration with several seeds on the same papers, and compare their figures.

  python -m training compare training/configs/compare.toml
  python -m training compare training/configs/compare.toml --variant tail-32 --variant head-32

The comparison's file names a run, seeds and variants; a variant changes a few keys of the run. Every
fitted network scores the validation papers in fp32. Means, deviations and differences paired by seed are
written to table.md and table.json after each run, with pictures; all variants run with one seed before
the next seed. When called again, the command skips the runs in outcomes.jsonl, continues an interrupted
run and repeats those that failed. Several calls may work on one comparison at the same time; on CPUs,
several of them with one thread each are faster than one with several threads:

  OMP_NUM_THREADS=1 python -m training compare training/configs/compare.toml
"""
_REVIEW = """\
List labels that are probably wrong, the most likely errors first, and papers that are worth labelling next.

  python -m training review papers.csv
  python -m training review papers.csv --pool unlabelled.csv --count 50
  python -m training review papers.csv --artefact latest

Every paper is scored by a model that has not learned from it: TF-IDF with logistic regression, each fifth of
the papers by the other four, or an artefact that was trained on others. A label is suspicious if the scores
contradict it more firmly than is usual for this label (confident learning, Northcutt et al. 2021).
Labels are the artefact's, or all columns that hold only 0 and 1; other columns do no harm.
label-errors.csv and label-next.csv in the output folder name papers by row, id and title.
"""
_IMPORT = """\
Publish a sequence classifier that was fine-tuned elsewhere (BERT, DistilBERT, RoBERTa, ELECTRA, DeBERTa, ModernBERT …).

  python -m training import my-model --calibrate papers.csv --input joined
  python -m training import user/model --labels Biology Chemistry Physics --calibrate papers.csv
  python -m training import my-model --labels labels.csv

MODEL is a folder in the Hugging Face layout or a hub id. Its config.json says which labels the outputs have (id2label)
and that they have a sigmoid (problem_type); a softmax is refused. The graph is exported, quantized and compared with
fp32. With labelled papers, which the model was not fine-tuned on, probabilities are calibrated, thresholds chosen and
everything is measured; from 200 papers on, the out-of-scope detector is fitted on half of them. Without papers, the
thresholds are 0.5, and the card says that nothing was measured.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; the attribute `command` of its result names the one given."""
    shape = argparse.RawDescriptionHelpFormatter
    root = argparse.ArgumentParser(prog="python -m training", description=_DESCRIPTION, formatter_class=shape)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    draft = commands.add_parser("init", help="write a commented configuration for a file of labelled papers")
    draft.add_argument("papers", type=Path, help="a table of titles, abstracts or both, and columns of 0 and 1")
    draft.add_argument("--encoder", default="bert-base-uncased", help="hub id or local folder (default: %(default)s)")
    draft.add_argument("--output", type=Path, default=Path("run.toml"), help="default: %(default)s")
    _add_columns(draft)
    _add_holdout(commands)
    _add_evaluate(commands)
    stages = {
        "check": "check whether a run can be fitted and published, without starting it",
        "run": "all stages that the configuration has a section for: pretrain, fit, ngrams, baseline and publish",
        "pretrain": "further pre-training of the encoder with masked words, as [pretrain] says; `fit` starts from it",
        "fit": "fine-tune the network and save the weights of the best evaluation",
        "ngrams": "fit the model of word pieces and pairs that [ngrams] describes",
        "baseline": "measure TF-IDF with logistic regression on the same papers",
        "publish": "quantize the fitted network, check its gates and publish it",
    }
    for name, what in stages.items():
        _add_stage(commands.add_parser(name, help=what, description=what.capitalize() + "."))
    _add_import(commands)
    what = "write a teacher's scores of the training papers, from which another run can learn"
    _add_score(commands.add_parser("score", help=what, description=what.capitalize() + "."))
    _add_encoder(commands)
    what = "run variants of a configuration with several seeds and compare them"
    _add_comparison(commands.add_parser("compare", help=what, description=_COMPARE, formatter_class=shape))
    _add_review(commands)
    return root


def _add_holdout(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "draw papers with categories to be kept out of training"
    command = commands.add_parser("holdout", help=what, description=_HOLDOUT)
    command.add_argument("papers", type=Path, help="a table with a column `categories`")
    command.add_argument(
        "--like", type=Path, help="draw only papers that are also in this table, whose mix of subjects is wanted"
    )
    command.add_argument("--count", type=int, default=3000, metavar="N", help="how many (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    command.add_argument("--output", type=Path, default=Path("holdout.csv.gz"), help="default: %(default)s")


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    shape = argparse.RawDescriptionHelpFormatter
    what = "measure an artefact on labelled papers"
    parser = commands.add_parser("evaluate", help=what, description=_EVALUATE, formatter_class=shape)
    parser.add_argument("artefact", metavar="ARTEFACT", help=f"what to measure: {_WHICH}")
    parser.add_argument("data", type=Path, metavar="DATA", help="labelled papers")
    parser.add_argument("--output", type=Path, default=Path("evaluation"), help="folder (default: %(default)s)")
    parser.add_argument("--against", metavar="ARTEFACT", help="another one: differences on the same papers")
    parser.add_argument("--store", type=Path, default=STORE, help="where artefacts are (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="papers side by side (default: the usable processors)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples (default: %(default)s)")


def _add_comparison(command: argparse.ArgumentParser) -> None:
    command.add_argument("comparison", type=Path, help="the comparison's TOML file: base, seeds and [[variant]]s")
    where = "where runs keep files while they work, below compare-NAME (default: %(default)s)"
    command.add_argument("--runs", type=Path, default=Path("runs"), help=where)
    what = "folder for outcomes, table and pictures, small enough to be committed (default: compare-NAME as well)"
    command.add_argument("--results", type=Path, help=what)
    what = "run this variant and the first one; may be given several times (default: all)"
    command.add_argument("--variant", action="append", default=[], metavar="NAME", help=what)


def _add_score(command: argparse.ArgumentParser) -> None:
    _add_run(command)
    teacher = command.add_mutually_exclusive_group()
    what = f"use a published artefact as the teacher instead: {_WHICH}"
    teacher.add_argument("--artefact", metavar="ARTEFACT", help=what)
    what = "use TF-IDF with logistic regression as the teacher, trained for each fifth of the papers on the others"
    teacher.add_argument("--baseline", action="store_true", help=what)
    command.add_argument("--store", type=Path, default=STORE, help="where artefacts are (default: %(default)s)")
    command.add_argument(
        "--sample", type=int, metavar="N", help="score N training papers only, drawn as data.sample does"
    )
    command.add_argument("--output", type=Path, default=Path("teacher.npz"), help="default: %(default)s")


def _add_encoder(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "write the encoder of an artefact or of a fitted run as a folder that another run can start from"
    command = commands.add_parser("encoder", help=what, description=_ENCODER)
    of = command.add_mutually_exclusive_group(required=True)
    of.add_argument("--artefact", metavar="ARTEFACT", help=_WHICH)
    of.add_argument("--run", type=Path, metavar="CONFIG", help="a fitted run's TOML file")
    command.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep files (default: %(default)s)")
    command.add_argument("--store", type=Path, default=STORE, help="where artefacts are (default: %(default)s)")
    command.add_argument("--output", type=Path, default=Path("encoder"), help="folder (default: %(default)s)")


def _add_run(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("config", type=Path, help="the run's TOML file")
    stage.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep files (default: %(default)s)")


def _add_stage(stage: argparse.ArgumentParser) -> None:
    _add_run(stage)
    stage.add_argument("--store", type=Path, default=STORE, help="where artefacts go (default: %(default)s)")
    stage.add_argument("--resume", action="store_true", help="continue an interrupted call from its last checkpoint")
    what = "publish only this one of the run's artefacts (default: that of `name`, and all of [[publish]])"
    stage.add_argument("--artefact", metavar="NAME", help=what)


def _add_review(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    shape = argparse.RawDescriptionHelpFormatter
    what = "list labels that are probably wrong, and papers that are worth labelling next"
    command = commands.add_parser("review", help=what, description=_REVIEW, formatter_class=shape)
    command.add_argument("papers", type=Path, help="labelled papers, as for `init`")
    command.add_argument("--pool", type=Path, help="papers without labels: list those most worth labelling")
    what = f"an artefact that was not trained on these papers: {_WHICH} (default: TF-IDF, by folds)"
    command.add_argument("--artefact", metavar="ARTEFACT", help=what)
    command.add_argument("--output", type=Path, default=Path("review"), help="folder (default: %(default)s)")
    command.add_argument("--count", type=int, default=100, metavar="N", help="of the pool (default: %(default)s)")
    command.add_argument("--store", type=Path, default=STORE, help="where artefacts are (default: %(default)s)")
    command.add_argument("--blank-is-negative", action="store_true", help="a blank cell of a label column means 0")
    _add_columns(command)


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    shape = argparse.RawDescriptionHelpFormatter
    what = "publish a classifier that was fine-tuned elsewhere"
    command = commands.add_parser("import", help=what, description=_IMPORT, formatter_class=shape)
    command.add_argument("model", metavar="MODEL", help="a folder in the Hugging Face layout, or a hub id")
    what = "names of the outputs in their order, or a table with columns name, id, title, parent (default: id2label)"
    command.add_argument("--labels", nargs="+", default=[], metavar="LABEL", help=what)
    what = "labelled papers that the model was not fine-tuned on: a column of 0 and 1 per label"
    command.add_argument("--calibrate", type=Path, metavar="PAPERS", help=what)
    what = "how title and abstract were given in fine-tuning: as a pair of texts or joined to one (default: joined)"
    command.add_argument("--input", choices=["pair", "joined"], help=what)
    what = 'between title and abstract of a joined text, "[SEP]" for the separator (default: a space)'
    command.add_argument("--joiner", default=" ", metavar="TEXT", help=what)
    what = "word pieces to read at most (default: as many as the model can, up to 512)"
    command.add_argument("--max-tokens", type=int, metavar="N", help=what)
    what = "plain-text also removes markup; choose it if the model was fine-tuned that way (default: %(default)s)"
    command.add_argument("--preparation", choices=["whitespace", "plain-text"], default="whitespace", help=what)
    what = "the model was fine-tuned with a sigmoid (binary cross-entropy), whatever its config.json says"
    command.add_argument("--sigmoid", action="store_true", help=what)
    command.add_argument("--name", help="of the artefact (default: made of MODEL)")
    command.add_argument("--version", default="0.1.0", help="of the artefact (default: %(default)s)")
    command.add_argument("--licence", default="not stated", help="of the model (default: %(default)s)")
    command.add_argument("--store", type=Path, default=STORE, help="where artefacts go (default: %(default)s)")
    command.add_argument("--runs", type=Path, default=Path("runs"), help="where pictures go (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of the split of the papers (default: %(default)s)")
    command.add_argument("--blank-is-negative", action="store_true", help="a blank cell of a label column means 0")
    _add_columns(command)


def _add_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument("--title-column", metavar="NAME", help="default: the column named title, if there is one")
    command.add_argument("--abstract-column", metavar="NAME", help="default: the column named abstract, if any")
