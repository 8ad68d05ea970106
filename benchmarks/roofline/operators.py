"""Where the time of a graph goes: its operators, as onnxruntime's profiler records them."""

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_store.artefact import GRAPH, Artefact
from model_store.graph import DISABLED_OPTIMIZERS, HIDDEN, NEXT_HIDDEN, session_options
from model_store.papers import Encoding
from model_store.runtime import onnxruntime

_INT8 = frozenset({"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm"})
_FP32 = frozenset({"MatMul", "FusedMatMul", "Gemm", "FusedGemm"})
_ATTENTION = frozenset({"MultiHeadAttention", "Attention"})
_RUNS_TO_WARM_UP = 5
_SUFFIX = "_kernel_time"


class Operator(NamedTuple):
    """All runs of one kind of operator, per paper."""

    kind: str
    runs: float
    seconds: float
    operations: float
    """Multiplications and additions of matrix products; 0 of operators that are bound by memory."""
    bytes: float
    """Read and written, weights included."""

    @property
    def is_int8(self) -> bool:
        """Whether its operations are of 8-bit integers."""
        return self.kind in _INT8


def profile(artefact: Artefact, encodings: Sequence[Encoding], threads: int) -> list[Operator]:
    """The operators by their time; every paper passes all parts of the network."""
    names = [exit_.file for exit_ in artefact.manifest.exits] or [GRAPH]
    with tempfile.TemporaryDirectory() as folder:
        sessions = [_session(artefact.files[name], threads, Path(folder, str(i))) for i, name in enumerate(names)]
        for encoding in [*encodings[:_RUNS_TO_WARM_UP], *encodings]:
            _run(sessions, encoding)
        events = [event for session in sessions for event in _events(Path(session.end_profiling()))]
    return _by_kind(events, _RUNS_TO_WARM_UP + len(encodings))


def _session(model: bytes, threads: int, prefix: Path) -> Any:
    options = session_options(threads)
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model, options, providers=providers, disabled_optimizers=DISABLED_OPTIMIZERS)


def _run(sessions: Sequence[Any], encoding: Encoding) -> None:
    inputs: dict[str, Any] = encoding.rows()._asdict()
    for session in sessions:
        wanted = {value.name: inputs[value.name] for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        found = dict(zip(outputs, session.run(outputs, wanted), strict=True))
        inputs[HIDDEN] = found.get(NEXT_HIDDEN)


def _events(path: Path) -> Iterable[Mapping[str, Any]]:
    for event in json.loads(path.read_text()):
        if event["cat"] == "Node" and event["name"].endswith(_SUFFIX):
            yield event


def _by_kind(events: Iterable[Mapping[str, Any]], papers: int) -> list[Operator]:
    sums: dict[str, Any] = defaultdict(lambda: np.zeros(4))
    for event in events:
        arguments = event["args"]
        sums[arguments["op_name"]] += (1, event["dur"] / 1e6, *cost(arguments))
    found = [Operator(kind, *map(float, total / papers)) for kind, total in sums.items()]
    return sorted(found, key=lambda operator: -operator.seconds)


def cost(arguments: Mapping[str, Any]) -> tuple[float, float]:
    """Operations and bytes of one run, from the profiler's record of it."""
    kind = arguments["op_name"]
    inputs, outputs = _shapes(arguments["input_type_shape"]), _shapes(arguments["output_type_shape"])
    moved = sum(int(arguments[f"{part}_size"]) for part in ("activation", "output", "parameter"))
    if kind in _ATTENTION:
        # Queries by keys, and weights by values.
        return 4.0 * inputs[0][-2] * inputs[1][-2] * inputs[0][-1], moved
    if kind in _INT8 | _FP32:
        depth, columns = inputs[0][-1], outputs[0][-1]
        # Weights are packed when the session is made and no longer count as parameters.
        return 2.0 * math.prod(outputs[0]) * depth, moved + depth * columns * (1 if kind in _INT8 else 4)
    if kind == "Gather":
        # Of the table, only the rows that are looked up count.
        return 0.0, 2.0 * int(arguments["output_size"])
    return 0.0, moved


def _shapes(values: Sequence[Mapping[str, Sequence[int]]]) -> list[Sequence[int]]:
    return [shape for value in values for shape in value.values()]
