"""The report: a single page of HTML without external files."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.evaluation import plots
from training.evaluation.schemas import Estimate, Evaluation

_NAMES = {
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "mean_average_precision": "mean average precision",
    "label_ranking_average_precision": "label ranking average precision",
    "hamming_loss": "Hamming loss",
    "subset_accuracy": "all labels right",
    "coverage_error": "coverage error",
    "cardinality_true": "labels a paper has",
    "cardinality_given": "labels a paper got",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
}


def name(metric: str) -> str:
    """The name of a metric as the report shows it."""
    return _NAMES[metric]


def number(value: float | None, digits: int = 3) -> str:
    """The number as text; a dash if there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """The interval as text."""
    return "" if estimate.low is None else f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def shade(count: int, rows: list[list[int]]) -> int:
    """The tint of a cell, in per cent: 60 for the largest count of the table."""
    most = max((max(row, default=0) for row in rows), default=0)
    return round(60 * count / most) if most else 0


def render_report(evaluation: Evaluation) -> str:
    """The report as HTML; all names are escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": name, "number": number, "interval": interval}
    template = environment.get_template("report.html")
    return template.render(found=evaluation, plots=plots, shade=shade, without_diagonal=_without_diagonal)


def _without_diagonal(rows: list[list[int]]) -> list[list[int]]:
    return [[count if i != j else 0 for j, count in enumerate(row)] for i, row in enumerate(rows)]
