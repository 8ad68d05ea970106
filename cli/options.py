"""Options of `classify`, in groups."""

import argparse

from cli.added_columns import MOST_SCORE_COLUMNS
from tables.reader import BY_NAME


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the input."""
    group = parser.add_argument_group("input")
    group.add_argument(
        "--format", choices=BY_NAME, metavar="FORMAT",
        help=f"of standard input and output, and of files without a known extension: {', '.join(BY_NAME)}",
    )  # fmt: skip
    group.add_argument("--encoding", default="utf-8", help="of the input's text, e.g. cp1252 (default: utf-8)")
    group.add_argument("--input-delimiter", metavar="CHAR", help="of a CSV that is read (default: detected)")
    for field in ("title", "abstract"):
        column = group.add_mutually_exclusive_group()
        column.add_argument(f"--{field}-column", metavar="NAME", help=f"the column of {field}s (default: by its name)")
        column.add_argument(f"--no-{field}", action="store_true", help=f"there are no {field}s")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the output."""
    group = parser.add_argument_group("output")
    group.add_argument("--delimiter", metavar="CHAR", help="of a CSV that is written (default: as it is read)")
    group.add_argument("--decimal", choices=(".", ","), default=".", help="of numbers in a CSV (default: a point)")
    group.add_argument("--bom", action="store_true", help="begin a CSV with a byte-order mark, for Excel")
    group.add_argument("--prefix", default="", help="put before the name of every added column")
    group.add_argument(
        "--scores", choices=("all", "top", "none"),
        help=f"a column per label, the most probable labels, or none (default: all up to {MOST_SCORE_COLUMNS} labels)",
    )  # fmt: skip
    group.add_argument("--top", type=int, default=5, metavar="N", help="how many with --scores top (default: 5)")
    group.add_argument("--uris", action="store_true", help="add a column with the URIs of the labels")
    again = group.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="keep the complete rows of the output and continue after them"
    )
    again.add_argument("--force", action="store_true", help="replace the output when the new one is complete")


def add_ray_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of labelling on a cluster."""
    group = parser.add_argument_group("many tables or machines")
    group.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="ray: INPUT is a table, a folder or a pattern, OUTPUT a folder of parts, both also addresses like s3://; "
        "running the command again completes the output",
    )  # fmt: skip
    group.add_argument("--address", help="of a Ray cluster (default: processes of this machine)")
    group.add_argument("--rows-per-part", type=int, default=1000, metavar="N", help="(default: 1000)")
