"""Pictures of a run: how it learned, how far its probabilities can be believed, how well each label is found."""

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model_store.manifest import Manifest
from training.evaluation.reliability import bins
from training.publishing.card import LABELS, RELIABILITY

_LARGEST_POINT = 100
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


def _labels(manifest: Manifest) -> Figure:
    figure, axes = _sheet("F1 by label, with 95 % intervals", (7, 0.5 * len(manifest.labels) + 1.2))
    qualities = [manifest.quality.per_label[label.id] for label in manifest.labels]
    names = [f"{label.name} ({q.support})" for label, q in zip(manifest.labels, qualities, strict=True)]
    f1 = np.array([q.f1 for q in qualities])
    # A percentile interval may, rarely, leave its own figure out; a bar's whisker cannot be negative.
    reach = np.maximum(np.abs(np.array([q.f1_interval for q in qualities]).T - f1), 0)
    axes.barh(names, f1, xerr=reach, color=_COLOURS[0], ecolor="0.25", capsize=3)
    axes.set(xlim=(0, 1), xlabel="F1 on the validation papers (their number in brackets)")
    axes.invert_yaxis()
    return figure


def _reliability(
    manifest: Manifest, targets: NDArray[np.float32], scores: NDArray[np.floating], calibrated: NDArray[np.floating]
) -> Figure:
    figure = Figure(figsize=(11, 5.5))
    sheets = figure.subplots(1, 2, sharey=True)
    method = manifest.calibration.method
    for axes, given, title in zip(
        sheets,
        (scores, calibrated),
        ("What a probability is worth: as learned", f"as served (calibration: {method}, held out)"),
        strict=True,
    ):
        _plain(axes, title)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="as promised")
        for i, label in enumerate(manifest.labels):
            promised, observed, papers = np.array(
                [(found.promised, found.observed, found.papers) for found in bins(targets[:, i] > 0, given[:, i])]
            ).T
            colour = _COLOURS[i % len(_COLOURS)]
            axes.plot(promised, observed, color=colour, alpha=0.4, label=label.name)
            # Few papers make a point jump by chance alone.
            axes.scatter(promised, observed, np.minimum(papers, _LARGEST_POINT), color=colour)
        axes.set(
            xlabel=f"probability given (a point's area: its papers, up to {_LARGEST_POINT})",
            xlim=(-0.05, 1.05),
            ylim=(-0.05, 1.05),
        )
    sheets[0].set_ylabel("share of papers that carry the label")
    sheets[0].legend(frameon=False, fontsize="small")
    return figure


def _learning(metrics: Path) -> Figure:
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure, axes = _sheet("How it learned", (7, 4))
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
