"""The operators of the bundled graph in the roofline model of this processor (Williams et al. 2009).

    python -m benchmarks.roofline ../shared/data/papers_test.csv.gz --output DIR

Measures the int8 and fp32 peaks (a large product in onnxruntime) and the bandwidth of cache and memory, of one core and
of all; then the operators of the graph with one thread, for the papers of a table, all layers for each. An operator
takes at least its operations at the peak or its bytes at the bandwidth of the cache, whichever is longer. DIR gets
roofline.json, roofline.md and roofline.png. Takes about a minute.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib

from app.settings import Settings
from benchmarks.graph import read_papers
from benchmarks.roofline.operators import Operator, profile
from benchmarks.roofline.peaks import Peaks, measure_peaks
from model_store.cpus import usable_cpus
from model_store.store import Store
from training.evaluation.evaluate import open_artefact

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

_SHOWN = 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = _parser().parse_args(arguments)
    peaks = [measure_peaks(threads, options.seconds) for threads in sorted({1, usable_cpus()})]
    artefact = open_artefact(options.artefact, Store(options.store))
    papers = read_papers(options.papers)[: options.count]
    encodings = artefact.classifier().encode(papers)
    operators = profile(artefact, encodings, threads=1)
    pieces = sum(len(encoding.input_ids) for encoding in encodings) / len(encodings)
    name = f"{artefact.manifest.name} {artefact.manifest.version}"
    report = f"{name}, {len(papers)} papers of {pieces:.0f} word pieces on average, one thread.\n\n"
    report += "\n".join([*peak_table(peaks), "", *operator_table(operators, peaks[0])]) + "\n"
    print(report)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "roofline.md").write_text(report)
    found = {"artefact": name, "papers": len(papers), "pieces": pieces}
    found |= {"peaks": [peak._asdict() for peak in peaks], "operators": [one._asdict() for one in operators]}
    (options.output / "roofline.json").write_text(json.dumps(found, indent=2))
    draw(operators, peaks[0], options.output / "roofline.png")


def least_seconds(operator: Operator, peaks: Peaks) -> float:
    """The shortest time that an operator can take."""
    peak = peaks.int8_gops if operator.is_int8 else peaks.fp32_gflops
    return max(operator.operations / peak, operator.bytes / peaks.cache_gb_s) / 1e9


def peak_table(peaks: Sequence[Peaks]) -> list[str]:
    """The lines of a Markdown table."""
    rows = [f"| {one.threads} | {' | '.join(f'{value:.0f}' for value in one[1:])} |" for one in peaks]
    return ["| threads | int8, GOP/s | fp32, GFLOP/s | cache, GB/s | memory, GB/s |", "|---|---|---|---|---|", *rows]


def operator_table(operators: Sequence[Operator], peaks: Peaks) -> list[str]:
    """The slowest operators, the others together, and the sum."""
    shown, others = list(operators[:_SHOWN]), operators[_SHOWN:]
    total = sum(operator.seconds for operator in operators)
    rows = [_row(operator.kind, [operator], total, peaks) for operator in shown]
    rows += [_row(f"{len(others)} others", others, total, peaks)] if others else []
    rows.append(_row("all", operators, total, peaks))
    header = "| operator | runs | ms a paper | share | GOP | GOP/s | at least, ms | share of what is possible |"
    return [header, "|---|---|---|---|---|---|---|---|", *rows]


def _row(name: str, operators: Sequence[Operator], total: float, peaks: Peaks) -> str:
    runs, seconds, operations = (sum(values) for values in zip(*(o[1:4] for o in operators), strict=True))
    least = sum(least_seconds(operator, peaks) for operator in operators)
    cells = [name, f"{runs:.0f}", f"{1000 * seconds:.2f}", f"{seconds / total:.0%}"]
    cells += [f"{operations / 1e9:.2f}", f"{operations / seconds / 1e9:.0f}"] if operations else ["–", "–"]
    return f"| {' | '.join([*cells, f'{1000 * least:.2f}', f'{least / seconds:.0%}'])} |"


def draw(operators: Sequence[Operator], peaks: Peaks, path: Path) -> None:
    """The time of the slowest operators, and how much of it they need at least."""
    shown = list(reversed(operators[:_SHOWN]))
    figure, axes = plt.subplots(figsize=(8, 3.5))
    names = [operator.kind for operator in shown]
    axes.barh(names, [1000 * operator.seconds for operator in shown], color="lightgrey", label="measured")
    axes.barh(names, [1000 * least_seconds(operator, peaks) for operator in shown], height=0.4, label="at least")
    axes.set_xlabel("ms a paper, one thread")
    axes.legend()
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", type=Path, help="a table with titles and abstracts")
    parser.add_argument("--output", type=Path, required=True, help="folder for tables and picture")
    parser.add_argument("--artefact", default="arxiv-subjects", help="folder, NAME or NAME/VERSION (%(default)s)")
    parser.add_argument("--store", type=Path, default=Settings().artefacts, help="default: the bundled one")
    parser.add_argument("--count", type=int, default=200, help="papers of the table (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="for each peak (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
