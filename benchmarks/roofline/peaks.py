"""Peak operations and bytes a second of this processor, of one core and of all."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_store.runtime import onnxruntime

# Rows, columns and depth of the products: as many operations as 50 papers need in one feed-forward layer.
_SIZE = 1536
# Activations of a paper stay in the second-level cache; the other size exceeds the last level of most processors.
_CACHED_BYTES = 512 * 1024
_MEMORY_BYTES = 256 * 2**20
_SLICES_OF_CACHE = 64


class Peaks(NamedTuple):
    """The peaks with this many threads."""

    threads: int
    int8_gops: float
    """A multiplication and an addition are two operations."""
    fp32_gflops: float
    cache_gb_s: float
    """Bytes read and written, of data that fits into the second-level cache."""
    memory_gb_s: float


def measure_peaks(threads: int, seconds: float) -> Peaks:
    """Measure the peaks; each is the best of the repetitions within `seconds`."""
    operations = 2 * _SIZE**3
    return Peaks(
        threads,
        operations / _fastest(_product("MatMulInteger", np.uint8, np.int8, threads), seconds) / 1e9,
        operations / _fastest(_product("MatMul", np.float32, np.float32, threads), seconds) / 1e9,
        _copied_gb_s(_CACHED_BYTES, threads, seconds),
        _copied_gb_s(_MEMORY_BYTES, threads, seconds),
    )


def _fastest(run: Callable[[], object], seconds: float) -> float:
    run()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def _product(operator: str, left: type[Any], right: type[Any], threads: int) -> Callable[[], object]:
    """A run of one large matrix product in onnxruntime, with constant weights as in a network."""
    random = np.random.default_rng(0)
    weights = random.integers(0, 64, (_SIZE, _SIZE)).astype(right)
    inputs = random.integers(0, 64, (_SIZE, _SIZE)).astype(left)
    result = TensorProto.FLOAT if left is np.float32 else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", helper.np_dtype_to_tensor_dtype(inputs.dtype), [_SIZE, _SIZE])],
        [helper.make_tensor_value_info("c", result, [_SIZE, _SIZE])],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {"a": inputs})


def _copied_gb_s(size: int, threads: int, seconds: float) -> float:
    """Gigabytes read and written a second while each thread copies an array of half of `size`."""
    arrays = [(np.zeros(size // 2, np.uint8), np.ones(size // 2, np.uint8)) for _ in range(threads)]
    repeats = _SLICES_OF_CACHE if size == _CACHED_BYTES else 1

    def copy(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
        for _ in range(repeats):
            np.copyto(*pair)  # releases the interpreter's lock

    with ThreadPoolExecutor(threads) as pool:
        best = _fastest(lambda: list(pool.map(copy, arrays)), seconds)
    return threads * repeats * size / best / 1e9
