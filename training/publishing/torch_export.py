"""Exports a network of any encoder by torch's own exporter; slower than the graphs that this package writes."""

import onnx
import torch
from torch import Tensor, nn

from model_store.classifier import PROBABILITIES
from training.model.imported import Network
from training.publishing.graph_writer import FEATURES

_OPSET = 18


class _Served(nn.Module):
    """The network with its sigmoid; with a layer given, a second output is the mean of that layer's hidden states."""

    def __init__(self, network: Network, layer: int | None) -> None:
        super().__init__()
        self._network = network
        self._layer = layer

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        logits, hidden_states = self._network.outputs(input_ids, attention_mask, token_type_ids)
        probabilities = torch.sigmoid(logits)
        if self._layer is None:
            return (probabilities,)
        mask = attention_mask.unsqueeze(-1).to(probabilities.dtype)
        states, tokens = (hidden_states[self._layer] * mask).sum(1), mask.sum(1)
        if self._network.chunks is not None:  # the rows are one paper's
            states, tokens = states.sum(0, keepdim=True), tokens.sum(0, keepdim=True)
        return probabilities, states / tokens


def torch_graph(network: Network, layer: int | None = None) -> bytes:
    """The fp32 graph: int64 inputs (papers, tokens) → probabilities (papers, labels).

    A network that reads papers in chunks gives a graph for one paper: (chunks, tokens) → (1, labels).
    With a layer given, it has a second output `features` of shape (papers, hidden size).
    """
    # With eager attention the exporter makes a shorter and faster graph than with the fused one.
    network.encoder.set_attn_implementation("eager")  # type: ignore[operator]
    # The exporter would take one tensor passed twice for one input, so each input has its own.
    # An encoder without token types has no such input.
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * network.token_types
    example = tuple(torch.full((2, 16), fill, dtype=torch.long) for fill in (1, 1, 0)[: len(names)])
    rows = "papers" if network.chunks is None else "chunks"
    named = {0: torch.export.Dim(rows, min=1, max=4096), 1: torch.export.Dim("tokens", min=3, max=512)}
    alike = dict.fromkeys(named, torch.export.Dim.AUTO)
    program = torch.onnx.export(
        _Served(network, layer).eval(),
        example,
        input_names=names,
        output_names=[PROBABILITIES] if layer is None else [PROBABILITIES, FEATURES],
        dynamic_shapes=(named, *[alike] * (len(names) - 1)),
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    return _without_notes(program.model_proto)


def _without_notes(model: onnx.ModelProto) -> bytes:
    """Drop the exporter's notes on where each node came from: they hold paths of the machine that trained it."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        part.doc_string = ""
        del part.metadata_props[:]
    return bytes(model.SerializeToString())
