"""Plots of an artefact: learning curve, reliability of the probabilities, quality of each label."""

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from model_store.labels import Label
from model_store.manifest import Manifest
from training.evaluation.reliability import bins
from training.publishing.card import LABELS, RELIABILITY

_LARGEST_POINT = 100
# More would not be readable; also the most bars.
_MOST_LINES, _MOST_BARS = 12, 40
# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def draw(
    folder: Path,
    manifest: Manifest,
    targets: NDArray[np.float32],
    scores: NDArray[np.floating],
    calibrated: NDArray[np.floating],
    metrics: Path,
) -> list[Path]:
    """Draw all pictures into `folder` and return their paths; arrays have shape (papers, labels).

    `scores` are those before calibration; `calibrated` ones are to be held out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {LABELS: _labels(manifest), RELIABILITY: _reliability(manifest, targets, scores, calibrated)}
    if metrics.exists():
        pictures["learning.png"] = _learning(metrics)
    paths = []
    for name, picture in pictures.items():
        paths.append(folder / name)
        picture.savefig(paths[-1], dpi=120, bbox_inches="tight")
    return paths


def drawable_name(label: Label) -> str:
    """The label's words, or its id if matplotlib's font lacks a letter of them; it has no Chinese, for instance."""
    words = label.title or label.name
    glyphs = FT2Font(findfont(FontProperties())).get_charmap()
    return words if all(ord(letter) in glyphs for letter in words) else label.id


def _labels(manifest: Manifest) -> Figure:
    """F1 of each label; of many labels, only the best and the worst."""
    if manifest.quality is None:
        raise ValueError("an artefact that was never measured has no figures to draw")
    found = [(label, manifest.quality.per_label[label.id]) for label in manifest.labels]
    title = "F1 by label, with 95 % intervals"
    if len(found) > _MOST_BARS:
        ordered = sorted((pair for pair in found if pair[1].support), key=lambda pair: -pair[1].f1)
        found = ordered[: _MOST_BARS // 2] + ordered[-_MOST_BARS // 2 :]
        title += f": the {_MOST_BARS // 2} best and worst of {len(manifest.labels)}"
    figure, axes = _sheet(title, (7, 0.3 * len(found) + 1.2))
    names = [f"{drawable_name(label)} ({quality.support})" for label, quality in found]
    f1 = np.array([quality.f1 for _, quality in found])
    # A percentile interval may, rarely, leave its own figure out; matplotlib refuses negative lengths.
    reach = np.maximum(np.abs(np.array([quality.f1_interval for _, quality in found]).T - f1), 0)
    axes.barh(range(len(found)), f1, xerr=reach, color=_COLOURS[0], ecolor="0.25", capsize=3)
    axes.set_yticks(range(len(found)), names, parse_math=False)
    axes.set(xlim=(0, 1), xlabel="F1 on the validation papers (their number in brackets)")
    axes.invert_yaxis()
    return figure


def _reliability(
    manifest: Manifest, targets: NDArray[np.float32], scores: NDArray[np.floating], calibrated: NDArray[np.floating]
) -> Figure:
    """One line for each label; of many labels, one for all together."""
    figure = Figure(figsize=(11, 5.5))
    sheets = figure.subplots(1, 2, sharey=True)
    titles = ("Reliability before calibration", f"as served (calibration: {manifest.calibration.method}, held out)")
    for axes, given, title in zip(sheets, (scores, calibrated), titles, strict=True):
        _plain(axes, title)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
        for name, truth, column in _lines(manifest, targets, given):
            _draw_line(axes, name, truth, column, len(axes.lines) - 1)
        axes.set(
            xlabel=f"probability given (a point's area: its papers, up to {_LARGEST_POINT})",
            xlim=(-0.05, 1.05),
            ylim=(-0.05, 1.05),
        )
    sheets[0].set_ylabel("share of papers with the label")
    sheets[0].legend(frameon=False, fontsize="small")
    return figure


def _lines(
    manifest: Manifest, targets: NDArray[np.float32], scores: NDArray[np.floating]
) -> list[tuple[str, NDArray[np.bool_], NDArray[np.floating]]]:
    if len(manifest.labels) > _MOST_LINES:
        return [("all labels", targets.ravel() > 0, scores.ravel())]
    return [(drawable_name(label), targets[:, i] > 0, scores[:, i]) for i, label in enumerate(manifest.labels)]


def _draw_line(axes: Axes, name: str, truth: NDArray[np.bool_], scores: NDArray[np.floating], number: int) -> None:
    found = bins(truth, scores)
    predicted, observed, papers = np.array([(part.promised, part.observed, part.papers) for part in found]).T
    colour = _COLOURS[number % len(_COLOURS)]
    axes.plot(predicted, observed, color=colour, alpha=0.4, label=name)
    # Points of few papers scatter by chance alone, so their size shows the number of papers.
    axes.scatter(predicted, observed, np.minimum(papers, _LARGEST_POINT), color=colour)


def _learning(metrics: Path) -> Figure:
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure, axes = _sheet("Learning curve", (7, 4))
    losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    held_out = [(line["step"], line["eval_loss"], line["eval_micro_f1"]) for line in lines if "eval_loss" in line]
    axes.plot(*zip(*losses, strict=True), color=_COLOURS[0], label="loss of all tasks, training papers")
    if held_out:
        steps, loss, f1 = zip(*held_out, strict=True)
        axes.plot(steps, loss, marker="o", color=_COLOURS[1], label="loss, validation papers")
        axes.plot(steps, f1, marker="s", color=_COLOURS[2], label="micro-F1, validation papers")
    axes.set(xlabel="step", ylim=(0, 1))
    axes.legend(frameon=False)
    return figure


def _sheet(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    # Figure and not pyplot: no global state, no display.
    figure = Figure(figsize=size)
    axes = figure.subplots()
    _plain(axes, title)
    return figure, axes


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
