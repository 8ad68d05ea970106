"""Plots as inline SVG, without scripts or external references, readable on light and dark backgrounds."""

import io
import re
import warnings
from collections.abc import Sequence

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet

from training.evaluation.figures import CurvePoint, Figure, LabelFigures, Reliability

# Placeholders that are replaced by the colours of the page, which change with light and dark mode.
_INK, _QUIET, _FILL = "#010203", "#040506", "#070809"
_PAGE_COLOURS = {_INK: "currentColor", _QUIET: "var(--edge)", _FILL: "var(--chart)"}
_SQUARE = (3.2, 2.9)


def whiskers(names: Sequence[str], found: Sequence[Figure], what: str) -> Markup:
    """A row per name, with the figure as a dot and its interval as a line."""
    sheet, axes = _sheet((4.4, 0.3 * len(names) + 0.75))
    for row, figure in enumerate(found):
        if figure.value is None or figure.low is None or figure.high is None:
            continue
        axes.plot([figure.low, figure.high], [row, row], color=_FILL, linewidth=2)
        axes.plot([figure.value], [row], marker="o", color=_FILL, markersize=6)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel=what)
    axes.set_xlim(max(0.0, axes.get_xlim()[0]), min(1.005, axes.get_xlim()[1]))
    axes.grid(axis="x", color=_QUIET, linewidth=0.4, alpha=0.5)
    return _svg(sheet, f"{what}: " + "; ".join(map(_spoken, names, found)))


def reliability(name: str, found: Reliability) -> Markup:
    """Observed frequency against probability; the area of a dot shows the number of papers."""
    sheet, axes = _sheet(_SQUARE)
    axes.plot([0, 1], [0, 1], color=_QUIET, linestyle="--", linewidth=1)
    promised, observed = [part.promised for part in found.bins], [part.observed for part in found.bins]
    most = max(part.papers for part in found.bins)
    axes.plot(promised, observed, color=_FILL, linewidth=1)
    areas = [12 + 140 * part.papers / most for part in found.bins]
    axes.scatter(promised, observed, s=areas, color=_FILL, alpha=0.75, linewidths=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="probability given", ylabel="share with the label")
    points = ", ".join(f"{part.promised:.2f} → {part.observed:.2f}" for part in found.bins)
    return _svg(sheet, f"Reliability of {name}: {points}")


def precision_recall(label: LabelFigures) -> Markup:
    """Precision against recall at every threshold; the ring marks the label's threshold."""
    sheet, axes = _sheet(_SQUARE)
    points: list[CurvePoint] = label.curve
    axes.plot([point.recall for point in points], [point.precision for point in points], color=_FILL, linewidth=1.5)
    recall, precision = label.recall.value, label.precision.value
    if recall is not None and precision is not None:
        axes.plot([recall], [precision], marker="o", markersize=8, color=_INK, fillstyle="none")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="recall", ylabel="precision")
    at = f"precision {precision:.2f} and recall {recall:.2f} at threshold {label.threshold:.2f}"
    return _svg(sheet, f"Precision over recall of {label.name}: {at}")


def _sheet(size: tuple[float, float]) -> tuple[Sheet, Axes]:
    # Figure and not pyplot: no global state, no display.
    sheet = Sheet(figsize=size, layout="constrained")
    axes = sheet.subplots()
    axes.patch.set_visible(False)
    sheet.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_QUIET)
    axes.tick_params(colors=_INK, color=_QUIET, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return sheet, axes


def _svg(sheet: Sheet, spoken: str) -> Markup:
    """The plot as an element of a page; `spoken` is its text for screen readers."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text, in the page's font; the salt makes the same figures draw the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": spoken}), warnings.catch_warnings():
        # Only the widths come from matplotlib's font; the browser has the letters that it lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        sheet.savefig(buffer, format="svg", metadata=nothing)
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', drawn)[:2]
    head = f'<svg role="img" aria-label="{escape(spoken)}" viewBox="0 0 {width} {height}">'
    drawn = re.sub(r"<svg[^>]*>", lambda _: head, drawn, count=1)
    drawn = re.sub(r' id="(?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|PathCollection)[\w.]*"', "", drawn)
    drawn = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawn.replace("xlink:href", "href"))
    for colour, replacement in _PAGE_COLOURS.items():
        drawn = drawn.replace(colour, replacement)
    return Markup(drawn)  # noqa: S704  # matplotlib escapes names itself, `spoken` is escaped above


def _spoken(name: str, figure: Figure) -> str:
    if figure.value is None:
        return f"{name} unknown"
    return f"{name} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
