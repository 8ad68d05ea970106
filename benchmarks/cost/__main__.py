"""Papers a second of the service by cores, clients, lengths, batches and labels, and their price.

    python -m benchmarks.cost ../shared/data/papers_test.csv.gz --output DIR --model arxiv-subjects arxiv-categories

Measures over HTTP by cores, clients, word pieces, papers in a request (of the first model), and labels (of all models).
The expected duration is printed first. DIR gets cost.json, cost.md and cost.png; wrk must be installed.
"""

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx
import matplotlib

from app.settings import Settings
from benchmarks.cost.points import Measurement, Point
from benchmarks.graph import read_papers
from benchmarks.peers.environment import InstallationFailed
from model_store.cpus import usable_cpus
from model_store.errors import ArtefactError
from model_store.store import Store
from training.evaluation.evaluate import open_artefact

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

_START_S = 5
_SECONDS_A_DAY = 86_400
_PAPERS = 10_000_000
_AXES = ("cores", "clients", "word pieces", "papers in a request", "labels")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write; an artefact that fails is named and left out."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    points, failed = _measured(options)
    report = "\n".join([*table(points), "", *price_table(points, options.price), "", *failed]) + "\n"
    print(report)
    (options.output / "cost.md").write_text(report)
    found = {"price_per_core_hour": options.price, "cores": usable_cpus(), "points": [p._asdict() for p in points]}
    (options.output / "cost.json").write_text(json.dumps(found, indent=2))
    draw(points, options.output / "cost.png")


def _measured(options: argparse.Namespace) -> tuple[list[Point], list[str]]:
    points: list[Point] = []
    failed = []
    store = Store(options.store)
    papers = read_papers(options.papers)[: options.sample]
    for number, name in enumerate(options.model):
        try:
            artefact = open_artefact(name, store)
            log = options.output / "service.log"
            measurement = Measurement(artefact, papers, options.environments, log, options.seconds)
            if number == 0:
                loads = measurement.loads() + len(options.model) - 1
                starts = usable_cpus() + len(options.model)
                print(f"{loads} loads: about {(loads * (options.seconds + 1) + starts * _START_S) / 60:.0f} minutes")
            for point in measurement.labels() if number else measurement.all_axes():
                points.append(point)
        except (ArtefactError, InstallationFailed, RuntimeError, OSError, httpx.HTTPError) as error:
            failed.append(f"{name}: {error}")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            failed.append(f"{name}: the load generator failed: {error}")
    return points, failed


def table(points: Sequence[Point]) -> list[str]:
    """Papers a second of each axis, in two lines each."""
    lines = ["| papers/s by | | | | | | | |", "|---|---|---|---|---|---|---|---|"]
    for axis in _AXES:
        of_axis = sorted((point for point in points if point.axis == axis), key=lambda point: point.value)
        lines.append(_line([f"**{axis}**", *(str(point.value) for point in of_axis)]))
        lines.append(_line(["papers/s", *(f"{point.per_second:.0f}{_errors(point)}" for point in of_axis)]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join([*cells, *[''] * (8 - len(cells))])} |"


def _errors(point: Point) -> str:
    return f" ({point.errors} errors)" if point.errors else ""


def price_table(points: Sequence[Point], price: float) -> list[str]:
    """Papers a day and euros, by cores."""
    lines = [f"| cores | papers a day | hours for ten million | euros at {price:g} a core-hour |", "|---|---|---|---|"]
    for point in points:
        if point.axis == "cores" and point.per_second:
            hours = _PAPERS / point.per_second / 3600
            day = point.per_second * _SECONDS_A_DAY / 1e6
            lines.append(f"| {point.value} | {day:.1f} million | {hours:.0f} | {hours * point.value * price:.2f} |")
    return lines


def draw(points: Sequence[Point], path: Path) -> None:
    """One panel for each axis."""
    figure, panels = plt.subplots(1, len(_AXES), figsize=(15, 3), sharey=False)
    for axis, panel in zip(_AXES, panels, strict=True):
        of_axis = sorted((point.value, point.per_second) for point in points if point.axis == axis)
        if of_axis:
            panel.plot(*zip(*of_axis, strict=True), marker="o")
        panel.set(xlabel=axis, ylim=(0, None))
    panels[0].set_ylabel("papers per second")
    figure.savefig(path, dpi=90, bbox_inches="tight")
    plt.close(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", type=Path, help="a table with titles and abstracts")
    parser.add_argument("--output", type=Path, required=True, help="folder for tables and picture")
    parser.add_argument("--model", nargs="+", default=["arxiv-subjects"], help="NAME or NAME/VERSION (%(default)s)")
    parser.add_argument("--store", type=Path, default=Settings().artefacts, help="default: the bundled one")
    parser.add_argument("--environments", type=Path, default=Path("runs/peers"), help="default: %(default)s")
    parser.add_argument("--sample", type=int, default=400, help="papers that are sent (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each load, whole ones (default: %(default)s)")
    parser.add_argument("--price", type=float, default=0.04, help="euros for a core-hour (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
