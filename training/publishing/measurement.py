"""Outputs of an artefact's graph for papers, from which calibration and thresholds are determined."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.cpus import usable_cpus
from model_store.graph import HIDDEN, NEXT_HIDDEN, PROBABILITIES, OnnxGraph
from model_store.papers import Encoding
from training.publishing.graph_writer import FEATURES
from training.publishing.scope import States

Scores = NDArray[np.floating]


class Measurement(NamedTuple):
    """Outputs for some papers."""

    heads: list[Scores]
    """Probabilities of each head, (papers, labels): those of the exits in their order, then those of the last layer."""
    features: NDArray[np.float32] | None
    """Mean states, (papers, hidden size); none from a graph without this output."""
    tokens: NDArray[np.int64]
    """Word pieces, special ones included, (papers,)."""
    title_only: NDArray[np.bool_]
    """Papers of which the network gets no abstract, (papers,)."""

    @property
    def states(self) -> States:
        """What a detector of texts out of scope reads."""
        if self.features is None:
            raise ValueError("the graph has no output for mean states")
        return States(self.features, self.tokens)

    @property
    def scores(self) -> Scores:
        """Probabilities after all layers, (papers, labels)."""
        return self.heads[-1]


class GraphParts:
    """Runs all parts of a graph on one paper after another, without early exits."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        # As they are served: other fusions round differently. Papers side by side with a thread each are faster than
        # threads within a paper, and the scores are the same.
        self._parts = [OnnxGraph(part) for part in parts]

    def measure(self, encodings: Sequence[Encoding], description: str) -> Measurement:
        """Run every paper by itself, as many side by side as there are processors."""
        with ThreadPoolExecutor(usable_cpus()) as pool:
            bar = tqdm(pool.map(self._run, encodings), description, len(encodings), unit="paper", mininterval=5)
            results = list(bar)
        heads = [np.stack([result[PROBABILITIES][i] for result in results]) for i in range(len(self._parts))]
        features = [result[FEATURES][0] for result in results if result[FEATURES]]
        lengths = np.array([len(encoding.input_ids) for encoding in encodings])
        return Measurement(heads, np.stack(features) if features else None, lengths, title_only(encodings))

    def _run(self, encoding: Encoding) -> dict[str, list[NDArray[np.float32]]]:
        """Outputs by name, those of all parts in their order, without the axis of papers."""
        outputs: dict[str, list[NDArray[np.float32]]] = {PROBABILITIES: [], FEATURES: []}
        inputs: dict[str, NDArray[np.generic]] = encoding.rows()._asdict()
        for part in self._parts:
            values = part.run_part(inputs)
            for name in outputs:
                if name in values:
                    outputs[name].append(np.asarray(values[name][0], dtype=np.float32))
            inputs = {HIDDEN: values[NEXT_HIDDEN]} if NEXT_HIDDEN in values else {}
        return outputs


def title_only(encodings: Sequence[Encoding]) -> NDArray[np.bool_]:
    """Papers of which the network gets no abstract, (papers,)."""
    return np.array([encoding.title_only for encoding in encodings])
