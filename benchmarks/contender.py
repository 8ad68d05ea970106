"""Runs a network in a separate process, so that its memory and loading time can be measured.

The process reads a line of JSON and answers with one: a batch of papers gets its scores and the
milliseconds they took, `"memory"` the process's resident memory. It imports only what its kind of
file needs: the memory of an ONNX file's process is without torch.
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

# What must be there before a file can be read; importing it is no part of loading.
_IMPORTS = {
    "onnx": ("onnxruntime",),
    "torch": ("torch", "training.model.network"),
    "torchao": ("torch", "training.model.network", "torchao.quantization"),
}


class Text(NamedTuple):
    """One paper, encoded."""

    input_ids: list[int]
    token_type_ids: list[int]


class Contender:
    """The process, as the benchmark sees it."""

    def __init__(self, file: Path, kind: str, threads: int) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        command = [sys.executable, "-W", "ignore", "-m", __name__, str(file), kind, str(threads)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.load_s: float = self._answer()["load_s"]

    def run(self, papers: Sequence[Text]) -> tuple[Scores, float]:
        """Scores, shape (papers, labels), and milliseconds of one batch, padded to its longest paper."""
        answer = self._ask(papers)
        return np.array(answer["scores"], dtype=np.float32), float(answer["ms"])

    def megabytes(self) -> float:
        """Resident memory now, interpreter and libraries included."""
        return float(self._ask("memory")["megabytes"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, question: object) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  # it was opened as a pipe
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  # it was opened as a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contender ended with status {self._process.wait()}; its own words are above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _serve(file: Path, kind: str, threads: int) -> None:
    for module in _IMPORTS[kind]:
        importlib.import_module(module)
    start = time.perf_counter()
    run = _onnx(file, threads) if kind == "onnx" else _torch(file, threads)
    print(json.dumps({"load_s": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        answer = {"megabytes": _resident()} if question == "memory" else _timed(run, question)
        print(json.dumps(answer), flush=True)


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
    """A session with the options that serve, and more threads where wanted."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    # Threads that spin after their run would take the time of the contender that comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(file.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"])
    names = ("input_ids", "attention_mask", "token_type_ids")
    return lambda inputs: np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])


def _torch(file: Path, threads: int) -> Callable[[Inputs], Scores]:
    import torch

    torch.set_num_threads(threads)
    # A whole network and no weights alone: quantized layers are classes of their own. We wrote the file.
    network = torch.load(file, weights_only=False).eval()

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
