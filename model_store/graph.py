"""Runs an artefact's ONNX graph on one paper at a time."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from model_store.labels import GraphOutput, closeness
from model_store.manifest import Exit, Manifest
from model_store.papers import Encoding
from model_store.runtime import onnxruntime
from model_store.scheduling import batch_threads

# Names of a graph's outputs; the second may be absent.
PROBABILITIES = "probabilities"
DISTANCE = "distance"
# Hidden states of shape (rows, tokens, size): the input of a part, and the output of the one before it. They need
# two names, since a part in the middle has both.
HIDDEN = "hidden"
NEXT_HIDDEN = "next_hidden"

# The fused operator takes eight times as long as LayerNormalization by itself (onnxruntime 1.32).
DISABLED_OPTIMIZERS = ["SkipLayerNormFusion"]

# How long a thread within a run waits for the next operator before it sleeps, by measurement (benchmarks/LOG.md).
_SPIN_US = 20

Array = NDArray[np.generic]


class Graph(Protocol):
    """Runs the network on one paper."""

    def __call__(self, encoding: Encoding) -> GraphOutput:
        """Probabilities and distance of one paper."""
        ...


class OnnxGraph:
    """An onnxruntime session that reads one paper per run.

    Dynamic int8 quantization takes one activation scale per tensor, so that padding and other
    papers in a batch would change a paper's scores. One paper per run keeps them the same, and
    costs nothing: on a CPU eight papers together take eight times as long as one. Runs from
    several threads may overlap; `threads` is how many one run uses.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        # The session's own threads help a paper that is alone. Where each processor has a paper of its own they would
        # displace the threads that run them, which cost a seventh of the papers a second.
        with batch_threads():
            self._session = onnxruntime.InferenceSession(
                model,
                sess_options=session_options(threads),
                providers=["CPUExecutionProvider"],
                disabled_optimizers=DISABLED_OPTIMIZERS,
            )
        self._inputs = {value.name for value in self._session.get_inputs()}
        self._outputs = [value.name for value in self._session.get_outputs()]

    def __call__(self, encoding: Encoding) -> GraphOutput:
        wanted = [name for name in (PROBABILITIES, DISTANCE) if name in self._outputs]
        outputs = dict(zip(wanted, self.run(encoding, wanted), strict=True))
        return GraphOutput(outputs[PROBABILITIES], float(outputs[DISTANCE]) if DISTANCE in outputs else None)

    def run(self, encoding: Encoding, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """The graph's outputs of these names for one paper, without the axis of papers."""
        arrays = self._session.run(list(outputs), self._known(encoding.rows()._asdict()))
        return [np.asarray(array, dtype=np.float32)[0] for array in arrays]

    def run_part(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs of a part by name, with the axis of papers; inputs that it does not have are left out."""
        return dict(zip(self._outputs, self._session.run(None, self._known(inputs)), strict=True))

    def _known(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        # A graph that reads one paper per run needs no mask and may leave it out.
        return {name: array for name, array in inputs.items() if name in self._inputs}


class _Part(NamedTuple):
    graph: OnnxGraph
    exit: Exit


class ExitingGraph:
    """A network with early exits, in parts: a paper passes only as many parts as its decision needs.

    Each part has a head with probabilities. A paper exits after the first part at which the smallest
    distance between a score and its threshold, in log-odds, is at least the margin of that exit
    (Xin et al. 2020, DeeBERT, section 3.2, with this measure in place of entropy). This depends on
    the paper alone, never on load.
    """

    def __init__(self, manifest: Manifest, models: Mapping[str, bytes], threads: int = 1) -> None:
        """`models` are the files of the artefact by name."""
        self._parts = [_Part(OnnxGraph(models[exit_.file], threads), exit_) for exit_ in manifest.exits]
        self._thresholds = {
            title_only: np.array([label.threshold_for(title_only=title_only) for label in manifest.labels])
            for title_only in (False, True)
        }

    def __call__(self, encoding: Encoding) -> GraphOutput:
        inputs: dict[str, Array] = encoding.rows()._asdict()
        distance: float | None = None
        thresholds = self._thresholds[encoding.title_only]
        for graph, exit_ in self._parts:
            outputs = graph.run_part(inputs)
            scores = np.asarray(outputs[PROBABILITIES], dtype=np.float32)[0]
            distance = float(outputs[DISTANCE][0]) if DISTANCE in outputs else distance
            # The last part has no next one, even where its scores are no numbers, which are near to every threshold.
            is_last = NEXT_HIDDEN not in outputs
            if is_last or exit_.is_taken(closeness(scores, thresholds), title_only=encoding.title_only):
                break
            inputs = {**inputs, HIDDEN: outputs[NEXT_HIDDEN]}
        return GraphOutput(scores, distance, exit_.layer)


def session_options(threads: int) -> Any:
    """The options of a session whose runs use so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that sleeps between two operators is woken for each; one that spins for longer delays other runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_US))
    # The arena keeps the largest shape ever seen for good; without it memory stays level.
    options.enable_cpu_mem_arena = False
    # A pattern is one block for all values of a run, of another size for each length of paper: such blocks leave holes
    # in the heap, and 20 MB more stayed resident.
    options.enable_mem_pattern = False
    # Weights in other files were refused already; this folder, which cannot exist, is where they would be looked for.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    # Errors are raised; standard error is for log lines alone.
    options.log_severity_level = 4
    return options
