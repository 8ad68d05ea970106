"""From an artefact's graph and tokenizer to scores; no HTTP, no torch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper, PaperEncoder


class Graph(Protocol):
    """Runs the network on one paper."""

    def __call__(self, encoding: Encoding) -> NDArray[np.float32]:
        """Probabilities of one paper, shape (labels,)."""
        ...


class OnnxGraph:
    """An onnxruntime session that reads one paper per run.

    One paper per run is the promise of equal answers kept: dynamic int8 takes one activation
    scale per tensor, so padding and batch mates would change a paper's scores. Nothing is lost,
    since on a CPU eight papers together cost eight times one. Runs from several threads may
    overlap; `threads` is what one run uses within itself.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The arena keeps the largest shape ever seen for good; without it memory stays level.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])

    def __call__(self, encoding: Encoding) -> NDArray[np.float32]:
        ids = np.asarray([encoding.input_ids], dtype=np.int64)
        (scores,) = self._session.run(
            None,
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.asarray([encoding.token_type_ids], dtype=np.int64),
            },
        )
        row: NDArray[np.float32] = np.asarray(scores, dtype=np.float32)[0]
        return row


class Classifier:
    """Papers in, one independent probability per label out."""

    def __init__(self, manifest: Manifest, sha256: str, encoder: PaperEncoder, graph: Graph) -> None:
        self.manifest = manifest
        self.sha256 = sha256
        """Of the manifest, which holds the checksums of all other files."""
        self._encoder = encoder
        self._graph = graph

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        """See PaperEncoder.encode."""
        return self._encoder.encode(papers)

    def score(self, encoding: Encoding) -> NDArray[np.float32]:
        """Probabilities of one encoded paper, shape (labels,)."""
        return self._graph(encoding)

    def scores(self, papers: Sequence[Paper]) -> NDArray[np.float32]:
        """Probabilities, shape (papers, labels)."""
        rows = [self.score(encoding) for encoding in self.encode(papers)]
        return np.stack(rows) if rows else np.empty((0, len(self.manifest.labels)), dtype=np.float32)
