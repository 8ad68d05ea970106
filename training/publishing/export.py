"""The fitted network as an ONNX graph that ends in the sigmoid, in fp32 and in dynamic int8."""

import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from model_store.classifier import PROBABILITIES
from training.config import QuantizationConfig
from training.model.network import SubjectNetwork

FEATURES = "features"
_OPSET = 18
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _Served(nn.Module):
    """The network as it is served: with the sigmoid, here and nowhere else.

    With a layer given, a second output is the mean of that layer's hidden states, which is what
    the distance is computed from.
    """

    def __init__(self, network: SubjectNetwork, layer: int | None) -> None:
        super().__init__()
        self._network = network
        self._layer = layer

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, ...]:
        output = self._network.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            output_hidden_states=True,
        )
        probabilities = torch.sigmoid(self._network.head(self._network.read(output, attention_mask)))
        if self._layer is None:
            return (probabilities,)
        mask = attention_mask.unsqueeze(-1).to(probabilities.dtype)
        states, tokens = (output.hidden_states[self._layer] * mask).sum(1), mask.sum(1)
        if self._network.chunks is not None:  # the rows are one paper's
            states, tokens = states.sum(0, keepdim=True), tokens.sum(0, keepdim=True)
        return probabilities, states / tokens


def export_graph(network: SubjectNetwork, layer: int | None = None) -> bytes:
    """The fp32 graph: three int64 inputs (papers, tokens) → probabilities (papers, labels).

    A network that reads papers in chunks gives a graph for one paper: (chunks, tokens) → (1, labels).
    With a layer given, it has a second output `features` of shape (papers, hidden size).
    """
    # Eager attention: the exporter turns the fused kind into a longer and slower graph.
    network.encoder.set_attn_implementation("eager")  # type: ignore[operator]
    # Three tensors of their own: the exporter takes one passed twice for one input.
    example = tuple(torch.full((2, 16), fill, dtype=torch.long) for fill in (1, 1, 0))
    rows = "papers" if network.chunks is None else "chunks"
    named = {0: torch.export.Dim(rows, min=1, max=4096), 1: torch.export.Dim("tokens", min=3, max=512)}
    alike = dict.fromkeys(named, torch.export.Dim.AUTO)
    program = torch.onnx.export(
        _Served(network, layer).eval(),
        example,
        input_names=_INPUTS,
        output_names=[PROBABILITIES] if layer is None else [PROBABILITIES, FEATURES],
        dynamic_shapes=(named, alike, alike),
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    return _without_notes(program.model_proto)


def quantize(graph: bytes, config: QuantizationConfig) -> bytes:
    """The same graph with int8 weights, word pieces included, and activations quantized as they come."""
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        onnx.save(_without_stale_shapes(graph), prepared)
        quantize_dynamic(
            prepared,
            quantized,
            weight_type=QuantType.QInt8,
            per_channel=config.per_channel,
            reduce_range=config.reduce_range,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return quantized.read_bytes()


def scheme(config: QuantizationConfig) -> str:
    """What `quantize` did, in words for the manifest."""
    return (
        "dynamic int8 (onnxruntime quantize_dynamic, "
        f"{'per channel' if config.per_channel else 'per tensor'}, "
        f"{'7-bit weights: no saturation on any processor' if config.reduce_range else '8-bit weights'}), "
        "one paper per run"
    )


def _without_notes(model: onnx.ModelProto) -> bytes:
    """Drop the exporter's notes on where each node came from: they hold paths of the machine that trained."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        part.doc_string = ""
        del part.metadata_props[:]
    return bytes(model.SerializeToString())


def _without_stale_shapes(graph: bytes) -> onnx.ModelProto:
    """Drop the exporter's notes on initializers' shapes.

    quantize_dynamic transposes weights and then trips over them (microsoft/onnxruntime#25890).
    """
    model = onnx.load_model_from_string(graph)
    weights = {initializer.name for initializer in model.graph.initializer}
    kept = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    return model
