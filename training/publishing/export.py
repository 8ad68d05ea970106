"""The fitted network as an ONNX graph in fp32 that ends in the sigmoid."""

from training.model.network import SubjectNetwork
from training.publishing.bert import bert_graph, is_supported
from training.publishing.torch_export import torch_graph


def export_graph(network: SubjectNetwork, layer: int | None = None) -> bytes:
    """The graph of one paper: int64 inputs (1, tokens) → probabilities (1, labels).

    A network that reads papers in chunks gives a graph with inputs (chunks, tokens). With a layer given
    (0 is the embeddings), a second output `features` (1, hidden size) is the mean of that layer's states.
    """
    write = bert_graph if is_supported(network.encoder) else torch_graph
    return write(network, layer)
