"""The fitted network as ONNX graphs in fp32 that end in the sigmoid."""

from collections.abc import Sequence

from training.model.imported import Network
from training.model.network import SubjectNetwork
from training.publishing.bert import bert_parts, is_supported
from training.publishing.torch_export import torch_graph


def export_parts(network: Network, layer: int | None = None, exit_layers: Sequence[int] = ()) -> list[bytes]:
    """The graph of one paper, int64 inputs (1, tokens) → probabilities (1, labels), cut after the layers of exits.

    A network that reads papers in chunks gives a graph with inputs (chunks, tokens). With a layer given (0 is the
    embeddings), the part that computes it has a second output `features` (1, hidden size), the mean of its states.
    """
    if isinstance(network, SubjectNetwork) and is_supported(network.encoder):
        return bert_parts(network, layer, exit_layers)
    return [torch_graph(network, layer)]


def export_graph(network: Network, layer: int | None = None) -> bytes:
    """The same in one part, without exits."""
    (graph,) = export_parts(network, layer)
    return graph
