"""Plots as inline SVG, without scripts or external references, readable on light and dark backgrounds."""

import io
import re
import warnings
from collections.abc import Sequence

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.schemas import CurvePoint, Estimate, LabelEvaluation, Reliability

# Placeholders that are replaced by the colours of the page, which change with light and dark mode.
_INK, _QUIET, _FILL = "#010203", "#040506", "#070809"
_PAGE_COLOURS = {_INK: "currentColor", _QUIET: "var(--edge)", _FILL: "var(--chart)"}
_SQUARE = (3.2, 2.9)


def interval_plot(names: Sequence[str], estimates: Sequence[Estimate], metric: str) -> Markup:
    """A row per name: the estimate as a dot, its interval as a line."""
    figure, axes = _axes((4.4, 0.3 * len(names) + 0.75))
    for row, estimate in enumerate(estimates):
        if estimate.value is None or estimate.low is None or estimate.high is None:
            continue
        axes.plot([estimate.low, estimate.high], [row, row], color=_FILL, linewidth=2)
        axes.plot([estimate.value], [row], marker="o", color=_FILL, markersize=6)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel=metric)
    axes.set_xlim(max(0.0, axes.get_xlim()[0]), min(1.005, axes.get_xlim()[1]))
    axes.grid(axis="x", color=_QUIET, linewidth=0.4, alpha=0.5)
    return _svg(figure, f"{metric}: " + "; ".join(map(_in_words, names, estimates)))


def reliability_plot(name: str, reliability: Reliability) -> Markup:
    """Observed frequency against probability; the area of a dot shows the number of papers."""
    figure, axes = _axes(_SQUARE)
    axes.plot([0, 1], [0, 1], color=_QUIET, linestyle="--", linewidth=1)
    bins = reliability.bins
    promised, observed = [bin_.promised for bin_ in bins], [bin_.observed for bin_ in bins]
    most = max(bin_.papers for bin_ in bins)
    axes.plot(promised, observed, color=_FILL, linewidth=1)
    areas = [12 + 140 * bin_.papers / most for bin_ in bins]
    axes.scatter(promised, observed, s=areas, color=_FILL, alpha=0.75, linewidths=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="probability given", ylabel="share with the label")
    points = ", ".join(f"{bin_.promised:.2f} → {bin_.observed:.2f}" for bin_ in bins)
    return _svg(figure, f"Reliability of {name}: {points}")


def precision_recall_plot(label: LabelEvaluation) -> Markup:
    """Precision against recall at every threshold; the ring marks the label's threshold."""
    figure, axes = _axes(_SQUARE)
    points: list[CurvePoint] = label.curve
    axes.plot([point.recall for point in points], [point.precision for point in points], color=_FILL, linewidth=1.5)
    recall, precision = label.recall.value, label.precision.value
    if recall is not None and precision is not None:
        axes.plot([recall], [precision], marker="o", markersize=8, color=_INK, fillstyle="none")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="recall", ylabel="precision")
    at = f"precision {precision:.2f} and recall {recall:.2f} at threshold {label.threshold:.2f}"
    return _svg(figure, f"Precision over recall of {label.name}: {at}")


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    # Figure and not pyplot: no global state, no display.
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.patch.set_visible(False)
    figure.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_QUIET)
    axes.tick_params(colors=_INK, color=_QUIET, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _svg(figure: Figure, description: str) -> Markup:
    """The plot as an element of a page; `description` is its text for screen readers."""
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text, in the page's font; the salt makes the same figures draw the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}), warnings.catch_warnings():
        # Only the widths come from matplotlib's font; the browser has the letters that it lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', drawn)[:2]
    head = f'<svg role="img" aria-label="{escape(description)}" viewBox="0 0 {width} {height}">'
    drawn = re.sub(r"<svg[^>]*>", lambda _: head, drawn, count=1)
    drawn = re.sub(r' id="(?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|PathCollection)[\w.]*"', "", drawn)
    drawn = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawn.replace("xlink:href", "href"))
    for colour, replacement in _PAGE_COLOURS.items():
        drawn = drawn.replace(colour, replacement)
    return Markup(drawn)  # noqa: S704  # matplotlib escapes names itself, `description` is escaped above


def _in_words(name: str, estimate: Estimate) -> str:
    if estimate.value is None:
        return f"{name} unknown"
    return f"{name} {estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
