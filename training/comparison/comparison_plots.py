"""Plots of a comparison: scores with deviations, learning curves by step and by number of papers."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.comparison.table import Row, Spread

_WIDTH = 7.0


def draw(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw what the finished rows allow into `folder` and return the paths."""
    finished = [row for row in rows if row.seeds]
    pictures = {"scores": _scores(finished), "learning": _learning(finished), "papers": _papers(finished)}
    paths = []
    for name, picture in pictures.items():
        if picture is not None:
            paths.append(folder / f"{name}.png")
            picture.savefig(paths[-1], dpi=120, bbox_inches="tight")
    return paths


def _scores(rows: Sequence[Row]) -> Figure | None:
    """Scores as points: differences are small, and bars that do not start at zero are misleading."""
    if not rows:
        return None
    figure = Figure(figsize=(_WIDTH, 0.3 * len(rows) + 1.2))
    axes = _plain(figure.subplots())
    means, deviations = _means([row.figures["micro_f1"] for row in rows])
    axes.errorbar(means, range(len(rows)), xerr=deviations, fmt="o", capsize=3, color="#0072B2", ecolor="0.4")
    axes.axvline(means[0], color="0.7", linestyle="--")
    axes.set_yticks(range(len(rows)), [row.variant for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("micro-F1 on the validation papers; mean and standard deviation over seeds")
    return figure


def _learning(rows: Sequence[Row]) -> Figure | None:
    """A panel for each study: micro-F1 by step, the first variant dashed in each."""
    curved = [row for row in rows if len(row.curve) > 1]  # one evaluation is not a curve
    if not curved or curved[0] is not rows[0]:
        return None  # no first variant to compare the others with
    first = curved[0]
    studies = list(dict.fromkeys(row.study for row in curved[1:])) or [first.study]
    figure = Figure(figsize=(_WIDTH, 3.2 * len(studies)))
    for axes, study in zip(figure.subplots(len(studies), squeeze=False)[:, 0], studies, strict=True):
        for row in [first, *(row for row in curved if row.study == study and row is not first)]:
            means, deviations = _means([spread for _, spread in row.curve])
            style = "--" if row is first else "-"
            axes.errorbar(
                [step for step, _ in row.curve], means, yerr=deviations, label=row.variant, linestyle=style,
                marker=".", color="0.5" if row is first else None,
            )  # fmt: skip
        _plain(axes).set(title=study, xlabel="step", ylabel="micro-F1")
        axes.legend(frameon=False, fontsize="small")
    figure.tight_layout()
    return figure


def _papers(rows: Sequence[Row]) -> Figure | None:
    """A line for each study whose variants learn from different numbers of papers."""
    studies = {row.study: [other for other in rows if other.study == row.study] for row in rows}
    varied = {study: found for study, found in studies.items() if len({row.train_papers for row in found}) > 1}
    if not varied:
        return None
    figure = Figure(figsize=(_WIDTH, 4))
    axes = _plain(figure.subplots())
    for study, found in varied.items():
        found = sorted(found, key=lambda row: row.train_papers)
        means, deviations = _means([row.figures["micro_f1"] for row in found])
        axes.errorbar(
            [row.train_papers for row in found],
            means,
            yerr=deviations,
            marker="o",
            capsize=3,
            label=study or "variants",
        )
    axes.set(xscale="log", xlabel="training papers", ylabel="micro-F1 on the validation papers")
    axes.legend(frameon=False)
    return figure


def _means(spreads: Sequence[Spread]) -> tuple[list[float], list[float]]:
    return [spread.mean for spread in spreads], [spread.deviation or 0.0 for spread in spreads]


def _plain(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    return axes
