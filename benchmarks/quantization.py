"""Ways to make the network small, measured on the same papers in one run.

    python -m benchmarks.quantization training/configs/full.toml

Needs the fitted weights of that run. Speed is the median over papers, every scheme in turn on each
paper, so that a machine whose speed drifts drifts for all of them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from safetensors.torch import load_file

from model_store.classifier import OnnxGraph
from model_store.labels import assigned
from model_store.papers import Encoding, PaperEncoder
from training.config import QuantizationConfig
from training.export import export_graph, quantize
from training.metrics import micro_f1
from training.network import load_network, load_tokenizer
from training.run import TrainingRun
from training.thresholds import best_thresholds

Scores = NDArray[np.float32]
_SPEED_PAPERS = 40
_BATCH = 8


class Measured(NamedTuple):
    """One row of the table."""

    scheme: str
    megabytes: float
    ms: float
    """Median milliseconds per paper on one thread, as the service runs it."""
    scores: Scores
    batched: Scores


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    run = TrainingRun.open(options.config, options.runs)
    network = load_network(run.config.encoder, run.config.head, len(run.corpus.labels), run.config.features)
    network.load_state_dict(load_file(run.place.weights))
    fp32 = export_graph(network.eval())
    papers = run.corpus.validation.papers[: options.papers]
    encodings = PaperEncoder(load_tokenizer(run.config.encoder.source), run.config.input).encode(papers)
    graphs = {scheme: make(fp32) for scheme, make in _schemes().items()}
    speed = _speed(graphs, encodings[:_SPEED_PAPERS])
    rows = [
        Measured(
            scheme,
            len(graph) / 1e6,
            speed[scheme],
            np.stack([OnnxGraph(graph, 2)(encoding).scores for encoding in encodings]),
            _in_batches(graph, encodings),
        )
        for scheme, graph in graphs.items()
    ]
    print("\n".join(_table(rows, run.corpus.validation.targets[: len(papers)])))


def _schemes() -> dict[str, Callable[[bytes], bytes]]:
    def dynamic(*, per_channel: bool, reduce_range: bool) -> Callable[[bytes], bytes]:
        return lambda graph: quantize(graph, QuantizationConfig(per_channel=per_channel, reduce_range=reduce_range))

    return {
        "fp32": lambda graph: graph,
        "dynamic int8, per channel, 7-bit weights": dynamic(per_channel=True, reduce_range=True),
        "dynamic int8, per channel, 8-bit weights": dynamic(per_channel=True, reduce_range=False),
        "dynamic int8, per tensor, 8-bit weights": dynamic(per_channel=False, reduce_range=False),
        "dynamic uint8, per channel": _unsigned,
        "MatMulNBits, 8 bits, blocks of 32, accuracy level 4": _blocks,
    }


def _unsigned(graph: bytes) -> bytes:
    return _through_files(
        graph,
        lambda source, target: quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QUInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        ),
    )


def _blocks(graph: bytes) -> bytes:
    quantizer = MatMulNBitsQuantizer(
        onnx.load_model_from_string(graph),
        algo_config=DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=4, bits=8),
    )
    quantizer.process()
    # The embeddings are as large as the layers; their table alone goes to int8 the dynamic way.
    return _through_files(
        quantizer.model.model.SerializeToString(),
        lambda source, target: quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["Gather"],
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        ),
    )


def _through_files(graph: bytes, change: Callable[[Path, Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.onnx"), Path(folder, "target.onnx")
        model = onnx.load_model_from_string(graph)
        # Shape notes on weights trip the quantizer (microsoft/onnxruntime#25890).
        del model.graph.value_info[:]
        onnx.save(model, source)
        change(source, target)
        return target.read_bytes()


def _speed(graphs: dict[str, bytes], encodings: list[Encoding]) -> dict[str, float]:
    # One thread: the pools of several sessions would spin in each other's way.
    sessions = {scheme: OnnxGraph(graph) for scheme, graph in graphs.items()}
    seconds: dict[str, list[float]] = {scheme: [] for scheme in graphs}
    for encoding in encodings:
        for scheme, session in sessions.items():
            start = time.perf_counter()
            session(encoding)
            seconds[scheme].append(time.perf_counter() - start)
    return {scheme: float(np.median(times)) * 1000 for scheme, times in seconds.items()}


def _in_batches(graph: bytes, encodings: list[Encoding]) -> Scores:
    """The scores papers would get in random batches with padding: what serving one by one avoids."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    order = np.random.default_rng(0).permutation(len(encodings))
    rows: dict[int, Scores] = {}
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        width = max(len(encodings[i].input_ids) for i in batch)
        ids, types, mask = (np.zeros((len(batch), width), dtype=np.int64) for _ in range(3))
        for row, encoding in enumerate(encodings[i] for i in batch):
            length = len(encoding.input_ids)
            ids[row, :length], types[row, :length] = encoding.input_ids, encoding.token_type_ids
            mask[row, :length] = 1
        (scores,) = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types})
        rows |= dict(zip(batch.tolist(), scores, strict=True))
    return np.stack([rows[i] for i in range(len(encodings))])


def _table(rows: list[Measured], targets: Scores) -> list[str]:
    reference = rows[0]
    lines = [
        "| scheme | MB | ms a paper, one thread | micro-F1 | flipped against fp32 | flipped by a batch of 8 |"
        " largest change by it |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        thresholds = best_thresholds(targets, row.scores)
        decisions = assigned(row.scores, thresholds)
        flipped = (decisions != assigned(reference.scores, thresholds)).any(axis=1).mean()
        by_batch = (decisions != assigned(row.batched, thresholds)).any(axis=1).mean()
        lines.append(
            f"| {row.scheme} | {row.megabytes:.1f} | {row.ms:.1f} "
            f"| {micro_f1(targets > 0, decisions):.4f} | {flipped:.1%} | {by_batch:.1%} "
            f"| {np.abs(row.scores - row.batched).max():.2g} |"
        )
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--papers", type=int, default=200)
    return parser


if __name__ == "__main__":
    main()
