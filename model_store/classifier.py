"""The classifier: from a paper to its scores and its decision, the same in training and in serving."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.graph import DISTANCE, HIDDEN, PROBABILITIES, Graph, OnnxGraph
from model_store.labels import Decision, GraphOutput
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper, PaperEncoder

__all__ = ["DISTANCE", "HIDDEN", "PROBABILITIES", "Classifier", "Graph", "OnnxGraph", "Result"]


class Result(NamedTuple):
    """The encoding of a paper, the output of the network, and the decision."""

    encoding: Encoding
    output: GraphOutput
    decision: Decision


class Classifier:
    """Gives each label of a paper an independent probability."""

    def __init__(self, manifest: Manifest, sha256: str, encoder: PaperEncoder, graph: Graph) -> None:
        self.manifest = manifest
        self.sha256 = sha256
        """Of the manifest, which holds the checksums of all other files."""
        self._encoder = encoder
        self._graph = graph

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        """One encoding per paper, in order; raises PaperError for a paper without text."""
        return self._encoder.encode(papers)

    def predict(self, encoding: Encoding) -> GraphOutput:
        """Probabilities and distance of one encoded paper."""
        return self._graph(encoding)

    def classify(self, paper: Paper) -> Result:
        """The result for one paper; raises PaperError if it has no text that the tokenizer knows."""
        (encoding,) = self.encode([paper])
        output = self.predict(encoding)
        decision = self.manifest.decide(output, title_only=encoding.title_only, withdrawn=encoding.withdrawn)
        return Result(encoding, output, decision)

    def scores(self, papers: Sequence[Paper]) -> NDArray[np.float32]:
        """Probabilities, shape (papers, labels)."""
        rows = [self.predict(encoding).scores for encoding in self.encode(papers)]
        return np.stack(rows) if rows else np.empty((0, len(self.manifest.labels)), dtype=np.float32)
