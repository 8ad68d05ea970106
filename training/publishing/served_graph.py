"""Adds to a quantized graph what was learned after quantization, so that serving needs no code of its own for it.

Calibration goes between logits and sigmoid, the distance behind the mean states, both in fp32.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from model_store.classifier import DISTANCE, PROBABILITIES
from training.publishing.calibration import Lines
from training.publishing.graph_writer import FEATURES
from training.publishing.scope import Detector

_CALIBRATION = """
    calibration_scaled = Mul({logits}, calibration_slopes)
    calibration_logits = Add(calibration_scaled, calibration_intercepts)
"""
# The logarithm of a squared Mahalanobis distance, less a parabola in the logarithm of the length.
_DISTANCE = """
    scope_centred = Sub(features, scope_mean)
    scope_white = MatMul(scope_centred, scope_whitening)
    scope_squared = ReduceSumSquare<keepdims=0>(scope_white, scope_axis)
    scope_log = Log(scope_squared)
    scope_mask = Cast<to=1>(attention_mask)
    scope_tokens = ReduceSum<keepdims=0>(scope_mask, scope_token_axes)
    scope_length = Log(scope_tokens)
    scope_bent = Mul(scope_length, scope_bend)
    scope_steep = Add(scope_bent, scope_slope)
    scope_grown = Mul(scope_length, scope_steep)
    scope_usual = Add(scope_grown, scope_level)
    {distance} = Sub(scope_log, scope_usual)
"""
# With outliers learned from: the larger of that and a linear function of the whitened state over its usual norm.
_OUTLIERS = """
    scope_halved = Mul(scope_usual, scope_minus_half)
    scope_scale = Exp(scope_halved)
    scope_projected = MatMul(scope_white, scope_direction)
    scope_scaled = Mul(scope_projected, scope_scale)
    scope_outlier = Add(scope_scaled, scope_offset)
    distance = Max(scope_distance, scope_outlier)
"""


def served_graph(graph: bytes, lines: Lines, detector: Detector | None, *, chunked: bool = False) -> bytes:
    """The graph as it is published: calibrated probabilities, and the distance if there is a detector.

    If `chunked`, the rows of its inputs are chunks of one paper, else papers.
    """
    model = onnx.load_model_from_string(graph)
    _calibrate(model.graph, lines)
    if detector is not None:
        _measure_distance(model.graph, detector, chunked)
    _drop_output(model.graph, FEATURES)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _calibrate(graph: onnx.GraphProto, lines: Lines) -> None:
    position, sigmoid = next((i, node) for i, node in enumerate(graph.node) if PROBABILITIES in node.output)
    if sigmoid.op_type != "Sigmoid":
        raise ValueError(f"the graph ends in {sigmoid.op_type}, expected Sigmoid: the exporter has changed")
    added = _nodes(_CALIBRATION.format(logits=sigmoid.input[0]))
    sigmoid.input[0] = added[-1].output[0]
    # ONNX wants nodes in the order in which they are computed.
    for node in reversed(added):
        graph.node.insert(position, node)
    _add_constants(graph, {"calibration_slopes": lines.slopes, "calibration_intercepts": lines.intercepts})


def _measure_distance(graph: onnx.GraphProto, detector: Detector, chunked: bool) -> None:
    level, slope, bend = detector.usual
    if detector.outliers is None:
        graph.node.extend(_nodes(_DISTANCE.format(distance=DISTANCE)))
    else:
        graph.node.extend(_nodes(_DISTANCE.format(distance="scope_distance") + _OUTLIERS))
        direction, offset = detector.outliers
        _add_constants(graph, {"scope_direction": direction, "scope_offset": offset, "scope_minus_half": -0.5})
    _add_constants(
        graph,
        {
            "scope_mean": detector.mean,
            "scope_whitening": detector.whitening,
            "scope_level": level,
            "scope_slope": slope,
            "scope_bend": bend,
        },
    )
    for name, axes in (("scope_axis", [1]), ("scope_token_axes", [0, 1] if chunked else [1])):
        graph.initializer.append(numpy_helper.from_array(np.array(axes, dtype=np.int64), name))
    graph.output.append(helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, ["papers"]))


def _drop_output(graph: onnx.GraphProto, name: str) -> None:
    kept = [output for output in graph.output if output.name != name]
    del graph.output[:]
    graph.output.extend(kept)


def _nodes(text: str) -> list[onnx.NodeProto]:
    return [onnx.parser.parse_node(line) for line in text.splitlines() if line.strip()]


def _add_constants(graph: onnx.GraphProto, constants: Mapping[str, ArrayLike]) -> None:
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in constants.items()
    )
