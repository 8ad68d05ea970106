"""Writes an ONNX graph node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

FEATURES = "features"
"""An output of the fp32 and the plain int8 graph: mean states, which the distance is computed from."""
Shape = Sequence[int | str]
"""Of an input or output; a size that differs from run to run has a name."""

# Opset 20 is the first with Gelu. MultiHeadAttention is an operator of onnxruntime's own.
_OPSETS = {"": 20, "com.microsoft": 1}
# Without this, onnx writes its own newest IR version, which runtimes of the same year may refuse.
_IR_VERSION = 10


class GraphWriter:
    """Collects nodes and weights and makes a model of them.

    Methods that add a node return the name of its output. Names are unique: the second value of a name
    gets a number.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._counts: dict[str, int] = {}

    def input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        """Add an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return self._unique(name)

    def output(self, value: str, name: str, shape: Shape) -> None:
        """Make a value an fp32 output of the graph, under the name that its users know."""
        # The producer of the value gets the name; a copy by Identity would stand between the sigmoid and its name.
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if found == value else found for found in names]
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def weight(self, name: str, value: Tensor | ArrayLike) -> str:
        """Add a constant; real numbers are stored in fp32."""
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if np.issubdtype(array.dtype, np.floating):
            array = array.astype(np.float32)
        unique = self._unique(name)
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array), unique))
        return unique

    def node(self, operator: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; its name is the operator's unless another one is given."""
        output = self._unique(name or operator.lower())
        self._nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def linear(self, layer: nn.Linear, value: str, name: str) -> str:
        """Add x Wᵀ + b."""
        # MatMul and Add instead of Gemm: onnxruntime quantizes only MatMul with one scale per channel.
        product = self.node("MatMul", value, self.weight(f"{name}_weight", layer.weight.T), name=f"{name}_product")
        if layer.bias is None:
            return product
        return self.node("Add", product, self.weight(f"{name}_bias", layer.bias), name=name)

    def normalize(self, norm: nn.LayerNorm, value: str, name: str) -> str:
        """Add a layer normalization over the last axis."""
        weights = self.weight(f"{name}_weight", norm.weight), self.weight(f"{name}_bias", norm.bias)
        return self.node("LayerNormalization", value, *weights, name=name, epsilon=norm.eps)

    def model(self) -> bytes:
        """The model, checked and serialized."""
        graph = helper.make_graph(self._nodes, "papers", self._inputs, self._outputs, self._weights)
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())

    def _unique(self, name: str) -> str:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"
