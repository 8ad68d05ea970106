"""The report of a comparison: tables in Markdown, figures as JSON, a picture."""

import json
import platform
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from benchmarks.quantization.schemes import INSTALL_TORCHAO, Scheme

BATCH = 8
_QUALITIES = (
    "MB", "load s", "resident MB", "micro-F1", "macro-F1", "flipped against fp32", f"flipped by a batch of {BATCH}",
    "largest change by it",
)  # fmt: skip

Figures = dict[str, Any]
"""The figures of one scheme by name, as they are stored."""
Cells = Callable[[Figures], list[str]]


class Sizes(NamedTuple):
    """How much was measured."""

    papers: int
    rounds: int
    threads: Sequence[int]
    lengths: Sequence[int]


def tables(schemes: Sequence[Scheme], figures: Sequence[Figures], sizes: Sizes) -> str:
    """Two Markdown tables: size and quality of each scheme, and its latencies."""
    timed = [(threads, length) for threads in sizes.threads for length in sizes.lengths]
    times = [f"{length} tokens, {threads} thread{'s' * (threads > 1)}" for threads, length in timed]
    note = f"{sizes.papers} papers; {sizes.rounds} rounds; {_machine()['processor']}"
    lines = [
        *_table(schemes, figures, _QUALITIES, _qualities),
        "",
        *_table(schemes, figures, times, partial(_times, timed=timed)),
        "",
        f"Times in milliseconds per paper, median (95th percentile). {note}",
    ]
    return "\n".join(lines) + "\n"


def _table(schemes: Sequence[Scheme], figures: Sequence[Figures], columns: Sequence[str], cells: Cells) -> list[str]:
    measured = {row["scheme"]: cells(row) for row in figures}
    missing = [INSTALL_TORCHAO, *["–"] * (len(columns) - 1)]
    rows = [[scheme.name, *measured.get(scheme.name, missing)] for scheme in schemes]
    return [_line(row) for row in (["scheme", *columns], ["---"] * (len(columns) + 1), *rows)]


def _qualities(row: Figures) -> list[str]:
    return [
        f"{row['megabytes']:.1f}",
        f"{row['load_s']:.2f}",
        f"{row['resident_megabytes']:.0f}",
        f"{row['micro_f1']:.4f}",
        f"{row['macro_f1']:.4f}",
        f"{row['flipped']:.1%}",
        f"{row['flipped_by_batch']:.1%}",
        f"{row['largest_change_by_batch']:.2g}",
    ]


def _times(row: Figures, timed: Sequence[tuple[int, int]]) -> list[str]:
    latencies = [row["latency_ms"][threads][length] for threads, length in timed]
    return [f"{taken['median']:.1f} ({taken['p95']:.1f})" for taken in latencies]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(folder: Path, figures: Sequence[Figures], tables: str, sizes: Sizes) -> None:
    """Write quantization.md, .json and .png."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quantization.md").write_text(tables)
    document = {"machine": _machine(), "papers": sizes.papers, "rounds": sizes.rounds, "schemes": figures}
    (folder / "quantization.json").write_text(json.dumps(document, indent=2) + "\n")
    _draw(figures, sizes).savefig(folder / "quantization.png", dpi=120)


def _draw(figures: Sequence[Figures], sizes: Sizes) -> Figure:
    """Median latency by length, a panel per number of threads."""
    drawing = Figure(figsize=(5 * len(sizes.threads), 6), layout="constrained")
    panels = drawing.subplots(1, len(sizes.threads), squeeze=False, sharey=True)[0]
    for axes, threads in zip(panels, sizes.threads, strict=True):
        for row in figures:
            medians = [row["latency_ms"][threads][length]["median"] for length in sizes.lengths]
            name = f"{row['scheme']} ({row['megabytes']:.0f} MB)"
            axes.plot(sizes.lengths, medians, marker="o", label=name, linestyle="-" if "onnx" in name else "--")
        axes.set(title=f"{threads} thread{'s' * (threads > 1)}", xlabel="tokens", xticks=sizes.lengths, yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("median milliseconds per paper")
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize="small")
    return drawing


def _machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in told.items()}
    vector = [
        flag for flag in ("avx2", "avx512_vnni", "avx_vnni", "amx_int8") if flag in facts.get("flags", "").split()
    ]
    processor = f"{facts.get('model name', platform.machine())} ({', '.join(vector) or 'no vector extensions known'})"
    return {"processor": processor, **{name: version(name) for name in ("torch", "onnxruntime", "transformers")}}
