"""Compares quantization schemes: size, loading time, memory, latency, quality, and dependence on the batch.

    python -m benchmarks.quantization training/configs/full.toml --output quantization

Needs the fitted weights of that run, runs/NAME-VERSION/network.safetensors. Prints two Markdown tables;
--output DIR also keeps them as quantization.md, .json and .png. Each scheme runs in a process of its
own. Latency is taken in rounds, every scheme in turn on each length, so that a drift of the machine's
speed affects all of them; an idle machine is still better. Loading lasts from the file to the ready network,
without the import of onnxruntime or torch, but with the late imports of transformers.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quantization.model_process import EncodedText, ModelProcess, Scores
from benchmarks.quantization.report import BATCH, Figures, Sizes, tables, write
from benchmarks.quantization.schemes import Scheme, schemes
from model_store.labels import assigned
from model_store.papers import Encoding, PaperEncoder
from training.evaluation.metrics import headline
from training.model.network import SubjectNetwork
from training.model.pretrained import read_tokenizer
from training.publishing.thresholds import best_thresholds
from training.run import TrainingRun
from training.stages import load_fitted

_THREADS = (1, 2)
_LENGTHS = (64, 128, 256, 512)
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
    network = load_fitted(run)
    papers = run.corpus.validation.papers[: 16 if options.quick else options.papers]
    task = Task(
        PaperEncoder(read_tokenizer(run.config.encoder.source), run.config.input).encode(papers),
        run.corpus.validation.targets[: len(papers)],
        tuple(length for length in options.tokens if length <= _longest(network)),
        tuple(options.threads),
        2 if options.quick else options.rounds,
    )
    candidates = schemes(network)
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(candidates, task, Path(folder))
    figures = [_figures(row, rows[0], task) for row in rows]
    sizes = Sizes(len(papers), task.rounds, task.threads, task.lengths)
    text = tables(candidates, figures, sizes)
    print(text, end="")
    if options.output is not None:
        write(options.output, figures, text, sizes)


def _measure(candidates: Sequence[Scheme], task: Task, folder: Path) -> list[Measured]:
    present = [(scheme, folder / f"{number}.{scheme.kind}") for number, scheme in enumerate(candidates) if scheme.file]
    for scheme, path in present:
        path.write_bytes(scheme.file or b"")
    latency: list[Latency] = [{} for _ in present]
    rows: list[Measured] = []
    for threads in task.threads:
        processes = [ModelProcess(path, scheme.kind, threads) for scheme, path in present]
        for found, milliseconds in zip(latency, _rounds(processes, task), strict=True):
            found[threads] = milliseconds
        if not rows:
            rows = [
                _one(scheme.name, path, process, task, found)
                for (scheme, path), process, found in zip(present, processes, latency, strict=True)
            ]
        for process in processes:
            process.close()
    return rows


def _rounds(processes: Sequence[ModelProcess], task: Task) -> list[dict[int, list[float]]]:
    """Milliseconds by scheme and length; one more round than requested, because the first is a warm-up."""
    found: list[dict[int, list[float]]] = [{length: [] for length in task.lengths} for _ in processes]
    for number in tqdm(range(task.rounds + 1), desc="rounds", unit="round"):
        for length in task.lengths:
            text = _text_of(task.encodings, length, number)
            for process, milliseconds in zip(processes, found, strict=True):
                _, taken = process.run([text])
                if number > 0:
                    milliseconds[length].append(taken)
    return found


def _one(name: str, path: Path, process: ModelProcess, task: Task, latency: Latency) -> Measured:
    # Memory is read before the batches, which the service does not run.
    resident = process.megabytes()
    texts = [EncodedText(encoding.input_ids, encoding.token_type_ids) for encoding in task.encodings]
    alone = np.concatenate([process.run([text])[0] for text in tqdm(texts, desc=name, unit="paper")])
    size = path.stat().st_size / 1e6
    return Measured(name, size, process.load_s, resident, latency, alone, _in_batches(process, texts))


def _in_batches(process: ModelProcess, texts: Sequence[EncodedText]) -> Scores:
    """The scores of papers in random, padded batches, which serving one paper at a time avoids."""
    order = np.random.default_rng(0).permutation(len(texts))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    scores = np.concatenate([process.run([texts[i] for i in batch])[0] for batch in batches])
    return np.asarray(scores[np.argsort(order)])


def _text_of(encodings: Sequence[Encoding], length: int, number: int) -> EncodedText:
    """A text of exactly this many tokens, made of the papers' word pieces; a different part in each round."""
    first, last = encodings[0].input_ids[0], encodings[0].input_ids[-1]
    pieces = np.concatenate([encoding.input_ids[1:-1] for encoding in encodings])
    wanted = (np.arange(length - 2) + number * length) % len(pieces)
    title = length // 8
    return EncodedText([first, *pieces[wanted].tolist(), last], [0] * title + [1] * (length - title))


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


def _longest(network: SubjectNetwork) -> int:
    return int(network.encoder.config.max_position_embeddings)  # type: ignore[union-attr, arg-type]


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
    parser.add_argument("--quick", action="store_true", help="only 16 papers and 2 rounds, to try whether it works")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep quantization.md, .json and .png there")
    return parser


if __name__ == "__main__":
    main()
