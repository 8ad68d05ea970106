"""Runs a network in a process of its own, so that its memory and loading time can be measured.

The process reads one JSON message per line and answers each with another: a batch of papers with
their scores and the milliseconds they took, `"memory"` with the resident memory. It imports only
what its kind of file needs, so that the process of an ONNX file has no torch in memory.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Inputs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Ids, mask and types, each of shape (papers, tokens)."""

# Imported before the file is read; the time of these imports does not count as loading.
_IMPORTS = {
    "onnx": ("onnxruntime",),
    "torch": ("torch", "training.model.network"),
    "torchao": ("torch", "training.model.network", "torchao.quantization"),
}


class EncodedText(NamedTuple):
    """The word pieces of one paper."""

    input_ids: list[int]
    token_type_ids: list[int]


class ModelProcess:
    """The process with one network, seen from the benchmark."""

    def __init__(self, file: Path, kind: str, threads: int) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        command = [sys.executable, "-W", "ignore", "-m", __name__, str(file), kind, str(threads)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.load_s: float = self._response()["load_s"]

    def run(self, papers: Sequence[EncodedText]) -> tuple[Scores, float]:
        """Scores, shape (papers, labels), and milliseconds of one batch, padded to its longest paper."""
        response = self._request(papers)
        return np.array(response["scores"], dtype=np.float32), float(response["ms"])

    def megabytes(self) -> float:
        """Resident memory now, interpreter and libraries included."""
        return float(self._request("memory")["megabytes"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _request(self, message: object) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  # it was opened as a pipe
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return self._response()

    def _response(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  # it was opened as a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process of a network ended with status {self._process.wait()}; see its output above"
            )
        response: dict[str, Any] = json.loads(line)
        return response


def _serve(file: Path, kind: str, threads: int) -> None:
    for module in _IMPORTS[kind]:
        importlib.import_module(module)
    start = time.perf_counter()
    run = _onnx(file, threads) if kind == "onnx" else _torch(file, threads)
    print(json.dumps({"load_s": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        response = {"megabytes": _resident()} if message == "memory" else _timed(run, message)
        print(json.dumps(response), flush=True)


def _timed(run: Callable[[Inputs], Scores], papers: Sequence[Sequence[Sequence[int]]]) -> dict[str, Any]:
    inputs = _padded(papers)
    start = time.perf_counter()
    scores = run(inputs)
    return {"ms": 1000 * (time.perf_counter() - start), "scores": scores.tolist()}


def _padded(papers: Sequence[Sequence[Sequence[int]]]) -> Inputs:
    shape = len(papers), max(len(ids) for ids, _ in papers)
    ids, mask, types = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for row, (paper_ids, paper_types) in enumerate(papers):
        length = len(paper_ids)
        ids[row, :length], types[row, :length], mask[row, :length] = paper_ids, paper_types, 1
    return ids, mask, types


def _onnx(file: Path, threads: int) -> Callable[[Inputs], Scores]:
    """A session with the options of the service, except for the number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    # Threads that spin after their run would slow down the process that is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(file.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"])
    names = ("input_ids", "attention_mask", "token_type_ids")
    return lambda inputs: np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])


def _torch(file: Path, threads: int) -> Callable[[Inputs], Scores]:
    import torch

    torch.set_num_threads(threads)
    # Quantized layers are classes of their own, so the file holds a pickled network; this benchmark wrote it.
    network = torch.load(file, weights_only=False).eval()
    # transformers returns hidden states only where a model of the class was made, not unpickled, in the same process.
    with torch.device("meta"):
        type(network.encoder)(network.encoder.config)

    def run(inputs: Inputs) -> Scores:
        with torch.inference_mode():
            logits = network(*(torch.from_numpy(part) for part in inputs))["logits"]
            return np.asarray(torch.sigmoid(logits).numpy())

    return run


def _resident() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
