"""Labelling one paper that is given on the command line."""

import argparse

from cli.added_columns import AddedColumns
from cli.errors import CliError
from cli.labellers import Labeller, Prediction, Refusal
from cli.output import csv_style, output_format, text_writer
from cli.statuses import described
from cli.terminal import Terminal
from model_store.papers import Paper
from tables import Table

# With hundreds of labels, the rest is not worth reading.
_MOST_SHOWN = 10


def label_one_paper(args: argparse.Namespace, terminal: Terminal, labeller: Labeller, added: AddedColumns) -> int:
    """Label the paper of --title and --abstract, for people or in the format that --format names."""
    if args.input or args.output:
        raise CliError("--title and --abstract are for one paper, without INPUT and --output")
    (result,) = labeller([Paper(args.title, args.abstract)])
    if isinstance(result, Refusal):
        terminal.warn(result.reason)
        return 1
    if args.format is None:
        _describe(result, labeller, terminal)
        return 0
    nothing = Table(iter(()), lambda: None, args.format)
    writer = text_writer(output_format(args, nothing), terminal, csv_style(args))
    writer.begin(added.columns)
    writer.write(added.cells(result))
    writer.close(complete=True)
    return 0


def _describe(prediction: Prediction, labeller: Labeller, terminal: Terminal) -> None:
    terminal.say(f"{'; '.join(prediction.labels) or 'no label'} ({described(prediction.status)})\n")
    ranked = sorted(zip(labeller.labels.names, prediction.probabilities, strict=True), key=lambda pair: -pair[1])
    shown = [pair for i, pair in enumerate(ranked) if i < _MOST_SHOWN or pair[0] in prediction.labels]
    for name, probability in shown:
        terminal.say(f"  {probability:.3f}  {'*' if name in prediction.labels else ' '}  {name}")
    if len(shown) < len(ranked):
        terminal.say(f"  and {len(ranked) - len(shown)} less probable ones")
