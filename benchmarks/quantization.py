"""Compares quantization schemes: size, loading time, memory, latency, quality, and dependence on the batch.

    python -m benchmarks.quantization training/configs/full.toml --output quantization

Needs the fitted weights of that run, runs/NAME-VERSION/network.safetensors. Prints two Markdown tables;
--output DIR also keeps them as quantization.md, .json and .png. Each scheme runs in a process of its
own. Latency is taken in rounds, every scheme in turn on each length, so that a machine whose speed
drifts drifts for all of them; an idle machine is still better. Loading is from file to ready, the
import of onnxruntime or torch left out; what transformers imports late is in it.
"""

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from safetensors.torch import load_file
from tqdm import tqdm

from benchmarks.contender import Contender, Scores, Text
from benchmarks.schemes import INSTALL_TORCHAO, Scheme, schemes
from model_store.labels import assigned
from model_store.papers import Encoding, PaperEncoder
from training.evaluation.metrics import headline
from training.model.network import SubjectNetwork, load_network, load_tokenizer
from training.publishing.thresholds import best_thresholds
from training.run import TrainingRun

_BATCH = 8
_THREADS = (1, 2)
_LENGTHS = (64, 128, 256, 512)
_QUALITIES = (
    "MB", "load s", "resident MB", "micro-F1", "macro-F1", "flipped against fp32", f"flipped by a batch of {_BATCH}",
    "largest change by it",
)  # fmt: skip

Figures = dict[str, Any]
"""The figures of one scheme by name, as they are stored."""
Cells = Callable[[Figures], list[str]]
Latency = dict[int, dict[int, list[float]]]
"""Milliseconds of each round, by threads and by tokens."""


class Task(NamedTuple):
    """What is measured for every scheme."""

    encodings: list[Encoding]
    targets: Scores
    lengths: tuple[int, ...]
    threads: tuple[int, ...]
    rounds: int


class Measured(NamedTuple):
    """The figures of one scheme."""

    scheme: str
    megabytes: float
    load_s: float
    resident_megabytes: float
    latency: Latency
    scores: Scores
    batched: Scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    run = TrainingRun.open(options.config, options.runs)
    network = load_network(run.config.encoder, run.config.head, len(run.corpus.labels), run.config.features)
    network.load_state_dict(load_file(run.dir.weights))
    papers = run.corpus.validation.papers[: 16 if options.quick else options.papers]
    task = Task(
        PaperEncoder(load_tokenizer(run.config.encoder.source), run.config.input).encode(papers),
        run.corpus.validation.targets[: len(papers)],
        tuple(length for length in options.tokens if length <= _longest(network)),
        tuple(options.threads),
        2 if options.quick else options.rounds,
    )
    made = schemes(network.eval())
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(made, task, Path(folder))
    figures = [_figures(row, rows[0], task) for row in rows]
    tables = "\n".join(_tables(made, figures, task)) + "\n"
    print(tables, end="")
    if options.output is not None:
        _keep(options.output, figures, tables, task)


def _measure(made: Sequence[Scheme], task: Task, folder: Path) -> list[Measured]:
    present = [(scheme, folder / f"{number}.{scheme.kind}") for number, scheme in enumerate(made) if scheme.file]
    for scheme, path in present:
        path.write_bytes(scheme.file or b"")
    latency: list[Latency] = [{} for _ in present]
    rows: list[Measured] = []
    for threads in task.threads:
        contenders = [Contender(path, scheme.kind, threads) for scheme, path in present]
        for found, milliseconds in zip(latency, _rounds(contenders, task), strict=True):
            found[threads] = milliseconds
        if not rows:
            rows = [
                _one(scheme.name, path, contender, task, found)
                for (scheme, path), contender, found in zip(present, contenders, latency, strict=True)
            ]
        for contender in contenders:
            contender.close()
    return rows


def _rounds(contenders: Sequence[Contender], task: Task) -> list[dict[int, list[float]]]:
    """Milliseconds by scheme and length; one more round than requested, because the first is a warm-up."""
    found: list[dict[int, list[float]]] = [{length: [] for length in task.lengths} for _ in contenders]
    for number in tqdm(range(task.rounds + 1), desc="rounds", unit="round"):
        for length in task.lengths:
            text = _text_of(task.encodings, length, number)
            for contender, milliseconds in zip(contenders, found, strict=True):
                _, taken = contender.run([text])
                if number > 0:
                    milliseconds[length].append(taken)
    return found


def _one(name: str, path: Path, contender: Contender, task: Task, latency: Latency) -> Measured:
    # Memory before the batches, which no service runs.
    resident = contender.megabytes()
    texts = [Text(encoding.input_ids, encoding.token_type_ids) for encoding in task.encodings]
    alone = np.concatenate([contender.run([text])[0] for text in tqdm(texts, desc=name, unit="paper")])
    size = path.stat().st_size / 1e6
    return Measured(name, size, contender.load_s, resident, latency, alone, _in_batches(contender, texts))


def _in_batches(contender: Contender, texts: Sequence[Text]) -> Scores:
    """The scores of papers in random, padded batches, which serving one paper at a time avoids."""
    order = np.random.default_rng(0).permutation(len(texts))
    batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    scores = np.concatenate([contender.run([texts[i] for i in batch])[0] for batch in batches])
    return np.asarray(scores[np.argsort(order)])


def _text_of(encodings: Sequence[Encoding], length: int, number: int) -> Text:
    """A text of exactly this many tokens, made of the papers' word pieces; a different part in each round."""
    first, last = encodings[0].input_ids[0], encodings[0].input_ids[-1]
    pieces = np.concatenate([encoding.input_ids[1:-1] for encoding in encodings])
    wanted = (np.arange(length - 2) + number * length) % len(pieces)
    title = length // 8
    return Text([first, *pieces[wanted].tolist(), last], [0] * title + [1] * (length - title))


def _figures(row: Measured, reference: Measured, task: Task) -> Figures:
    thresholds = best_thresholds(task.targets, row.scores)
    decisions = assigned(row.scores, thresholds)
    quality = headline(task.targets, row.scores, thresholds)
    return {
        "scheme": row.scheme,
        "megabytes": row.megabytes,
        "load_s": row.load_s,
        "resident_megabytes": row.resident_megabytes,
        "latency_ms": {
            threads: {length: _spread(taken) for length, taken in lengths.items()}
            for threads, lengths in row.latency.items()
        },
        **quality,
        "flipped": _flipped(decisions, assigned(reference.scores, thresholds)),
        "flipped_by_batch": _flipped(decisions, assigned(row.batched, thresholds)),
        "largest_change_by_batch": float(np.abs(row.scores - row.batched).max()),
    }


def _spread(taken: Sequence[float]) -> dict[str, float]:
    median, p95 = np.percentile(taken, (50, 95))
    return {"median": float(median), "p95": float(p95)}


def _flipped(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one != other).any(axis=1).mean())


def _tables(made: Sequence[Scheme], figures: Sequence[Figures], task: Task) -> list[str]:
    """Two tables: size and quality of each scheme, and its latencies."""
    timed = [(threads, length) for threads in task.threads for length in task.lengths]
    times = [f"{length} tokens, {threads} thread{'s' * (threads > 1)}" for threads, length in timed]
    note = f"{len(task.encodings)} papers; {task.rounds} rounds; {_machine()['processor']}"
    return [
        *_table(made, figures, _QUALITIES, _qualities),
        "",
        *_table(made, figures, times, partial(_times, timed=timed)),
        "",
        f"Times in milliseconds a paper, median (95th percentile). {note}",
    ]


def _table(made: Sequence[Scheme], figures: Sequence[Figures], columns: Sequence[str], cells: Cells) -> list[str]:
    found = {row["scheme"]: cells(row) for row in figures}
    missing = [INSTALL_TORCHAO, *["–"] * (len(columns) - 1)]
    rows = [[scheme.name, *found.get(scheme.name, missing)] for scheme in made]
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


def _keep(folder: Path, figures: Sequence[Figures], tables: str, task: Task) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quantization.md").write_text(tables)
    kept = {"machine": _machine(), "papers": len(task.encodings), "rounds": task.rounds, "schemes": figures}
    (folder / "quantization.json").write_text(json.dumps(kept, indent=2) + "\n")
    _draw(figures, task).savefig(folder / "quantization.png", dpi=120)


def _draw(figures: Sequence[Figures], task: Task) -> Figure:
    """Median latency by length, a panel per number of threads."""
    sheet = Figure(figsize=(5 * len(task.threads), 6), layout="constrained")
    panels = sheet.subplots(1, len(task.threads), squeeze=False, sharey=True)[0]
    for axes, threads in zip(panels, task.threads, strict=True):
        for row in figures:
            medians = [row["latency_ms"][threads][length]["median"] for length in task.lengths]
            name = f"{row['scheme']} ({row['megabytes']:.0f} MB)"
            axes.plot(task.lengths, medians, marker="o", label=name, linestyle="-" if "onnx" in name else "--")
        axes.set(title=f"{threads} thread{'s' * (threads > 1)}", xlabel="tokens", xticks=task.lengths, yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("median milliseconds a paper")
    sheet.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize="small")
    return sheet


def _longest(network: SubjectNetwork) -> int:
    return int(network.encoder.config.max_position_embeddings)  # type: ignore[union-attr, arg-type]


def _machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in told.items()}
    vector = [
        flag for flag in ("avx2", "avx512_vnni", "avx_vnni", "amx_int8") if flag in facts.get("flags", "").split()
    ]
    processor = f"{facts.get('model name', platform.machine())} ({', '.join(vector) or 'no vector extensions known'})"
    return {"processor": processor, **{name: version(name) for name in ("torch", "onnxruntime", "transformers")}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the run's TOML file")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep files (default: %(default)s)")
    parser.add_argument("--papers", type=int, default=200, help="validation papers for quality (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="timed papers of each length (default: %(default)s)")
    tokens = "lengths to time (default: 64 128 256 512)"
    parser.add_argument("--tokens", type=int, nargs="+", metavar="N", default=_LENGTHS, help=tokens)
    threads = "threads to time (default: 1 2)"
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", default=_THREADS, help=threads)
    parser.add_argument("--quick", action="store_true", help="16 papers and 2 rounds: does it work at all")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep quantization.md, .json and .png there")
    return parser


if __name__ == "__main__":
    main()
