"""From an artefact's graph and tokenizer to scores; no HTTP, no torch."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_store.labels import Decision, Measured
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper, PaperEncoder

# Outputs of a graph; the second may be absent.
PROBABILITIES = "probabilities"
DISTANCE = "distance"


class Graph(Protocol):
    """Runs the network on one paper."""

    def __call__(self, encoding: Encoding) -> Measured:
        """Probabilities and distance of one paper."""
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
        self._measures_distance = DISTANCE in {output.name for output in self._session.get_outputs()}

    def __call__(self, encoding: Encoding) -> Measured:
        if not self._measures_distance:
            (scores,) = self.run(encoding, [PROBABILITIES])
            return Measured(scores)
        scores, distance = self.run(encoding, [PROBABILITIES, DISTANCE])
        return Measured(scores, float(distance))

    def run(self, encoding: Encoding, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """The graph's outputs of these names for one paper, without the axis of papers."""
        found = self._session.run(list(outputs), encoding.rows()._asdict())
        return [np.asarray(output, dtype=np.float32)[0] for output in found]


class Answer(NamedTuple):
    """What was read of a paper, what the network says of it, and what follows."""

    encoding: Encoding
    measured: Measured
    decision: Decision


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

    def measure(self, encoding: Encoding) -> Measured:
        """Probabilities and distance of one encoded paper."""
        return self._graph(encoding)

    def answer(self, paper: Paper) -> Answer:
        """All there is to say of one paper; PaperError if it has no text that the tokenizer knows."""
        (encoding,) = self.encode([paper])
        measured = self.measure(encoding)
        return Answer(encoding, measured, self._decide(measured, encoding))

    def _decide(self, measured: Measured, encoding: Encoding) -> Decision:
        return self.manifest.decide(measured, title_only=encoding.title_only, withdrawn=encoding.withdrawn)

    def scores(self, papers: Sequence[Paper]) -> NDArray[np.float32]:
        """Probabilities, shape (papers, labels)."""
        rows = [self.measure(encoding).scores for encoding in self.encode(papers)]
        return np.stack(rows) if rows else np.empty((0, len(self.manifest.labels)), dtype=np.float32)
