"""Writes the fast ONNX graph of a network whose encoder is a BERT (Devlin et al. 2019).

A generic export repeats what torch does, with its masks and its attention in a dozen nodes. This graph is
written for serving, where every run reads one paper: nothing is padded, so no mask is needed, and attention
and Gelu are one operator each. Where the head reads only the last layer's CLS state, that layer computes
keys and values of all tokens, but everything else for the CLS token alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

from onnx import TensorProto
from torch import nn
from transformers import BertModel

from model_store.graph import HIDDEN, NEXT_HIDDEN, PROBABILITIES
from training.config import FeaturesConfig
from training.model import exits
from training.model.chunks import ChunkJoin
from training.model.network import SubjectNetwork
from training.model.ngrams import Ngrams
from training.publishing.graph_writer import FEATURES, GraphWriter
from training.publishing.ngrams_graph import write_ngrams

_ACTIVATIONS = {"gelu": "Gelu", "relu": "Relu"}


def is_supported(encoder: nn.Module) -> bool:
    """Whether this module can write the encoder's graph."""
    return isinstance(encoder, BertModel) and encoder.config.hidden_act in _ACTIVATIONS


def bert_graph(network: SubjectNetwork, layer: int | None = None) -> bytes:
    """The fp32 graph of one paper: int64 inputs (1, tokens) → probabilities (1, labels).

    A network that reads papers in chunks gives a graph with inputs (chunks, tokens). With a layer given
    (0 is the embeddings), a second output `features` (1, hidden size) is the mean of that layer's states.
    """
    (graph,) = bert_parts(network, layer, exit_layers=())
    return graph


def bert_parts(network: SubjectNetwork, layer: int | None, exit_layers: Sequence[int]) -> list[bytes]:
    """The graph cut after the layers in `exit_layers`, in their order.

    Each part has the probabilities of its own head. All parts but the last also have the output
    `next_hidden` (1, tokens, hidden size), which is the only input of the next, `hidden`.
    """
    layers = len(cast("BertModel", network.encoder).encoder.layer)
    return [_part(network, layer, first, last) for first, last in pairwise([0, *exit_layers, layers])]


def _part(network: SubjectNetwork, layer: int | None, first: int, last: int) -> bytes:
    """The graph from the states of layer `first`, 0 being the embeddings, to the head on layer `last`."""
    graph = _BertGraph(network)
    value = graph.embeddings() if first == 0 else graph.hidden_input()
    at_end = last == len(graph.bert.encoder.layer)
    config = network.features_config if at_end else exits.FEATURES
    # All states of the last layer are needed if there is a mean to be taken, or another layer to come.
    cls_only = at_end and config.pool == "cls" and layer != last
    states = graph.states(value, range(first + 1, last + 1), cls_only=cls_only)
    logits = graph.logits(graph.joined_features(states, config), graph.head(last))
    graph.write_probabilities(logits if network.ngrams is None else graph.mixed(logits, network.ngrams))
    if layer is not None and first <= layer <= last and (first == 0 or layer > first):
        graph.write_features(states[layer - first])
    if not at_end:
        graph.write_hidden(states[-1])
    return graph.writer.model()


class _State(NamedTuple):
    """The name of a value with a layer's hidden states."""

    value: str
    cls_only: bool
    """Whether the shape is (rows, hidden size), of the CLS token alone, instead of (rows, tokens, hidden size)."""


class _BertGraph:
    """Writes the parts of the graph in the order in which they are computed."""

    def __init__(self, network: SubjectNetwork) -> None:
        self.network = network
        self.bert = cast("BertModel", network.encoder)
        self.writer = GraphWriter()
        self._zero = self.writer.weight("zero", [0])
        self._one = self.writer.weight("one", [1])
        self._ids = self._mask = self._padding = ""

    def embeddings(self) -> str:
        """Add word, position and type embeddings; returns (rows, tokens, hidden size)."""
        write, parts = self.writer, self.bert.embeddings
        # A fixed 1 makes the runtime refuse several papers at once, whose padding would be read as text.
        shape = ["chunks" if self.network.chunks else 1, "tokens"]
        self._ids, self._mask, types = (
            write.input(name, shape, TensorProto.INT64) for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        if self.network.chunks:
            # The last chunk of a paper is padded.
            self._padding = write.node("Cast", self._mask, to=TensorProto.INT32)
        tokens = write.node("Shape", self._ids, start=1, end=2, name="tokens")
        numbers = write.weight("positions", range(parts.position_embeddings.num_embeddings))
        positions = write.node("Slice", numbers, self._zero, tokens)
        word, kind, place = (
            write.node(
                "Gather", write.weight(f"embeddings_{name}_weight", table.weight), rows, name=f"embeddings_{name}"
            )
            for name, table, rows in (
                ("words", parts.word_embeddings, self._ids),
                ("types", parts.token_type_embeddings, types),
                ("positions", parts.position_embeddings, positions),
            )
        )
        total = write.node("Add", write.node("Add", word, kind), place)
        return write.normalize(parts.LayerNorm, total, "embeddings")

    def hidden_input(self) -> str:
        """Add the states that the part before this one ended with."""
        return self.writer.input(HIDDEN, [1, "tokens", self.bert.config.hidden_size])

    def states(self, value: str, layers: Sequence[int], *, cls_only: bool) -> list[_State]:
        """Add encoder layers, counted from 1; returns the state before them and that of each.

        With `cls_only`, the last one is computed for the CLS token alone.
        """
        states = [_State(value, cls_only=False)]
        for number in layers:
            states.append(self._layer(number, states[-1].value, cls_only=cls_only and number == layers[-1]))
        return states

    def _layer(self, number: int, value: str, *, cls_only: bool) -> _State:
        write, layer, name = self.writer, self.bert.encoder.layer[number - 1], f"layer_{number}"
        own = write.node("Slice", value, self._zero, self._one, self._one) if cls_only else value
        attended = self._attention(layer.attention.self, own, value, f"{name}_attention")
        attended = write.linear(layer.attention.output.dense, attended, f"{name}_attention_output")
        attended = self._residual(layer.attention.output.LayerNorm, attended, own, f"{name}_attention_norm")
        inner = write.linear(layer.intermediate.dense, attended, f"{name}_inner")
        inner = write.node(_ACTIVATIONS[self.bert.config.hidden_act], inner)
        outer = write.linear(layer.output.dense, inner, f"{name}_outer")
        found = self._residual(layer.output.LayerNorm, outer, attended, name)
        return _State(write.node("Squeeze", found, self._one) if cls_only else found, cls_only)

    def _attention(self, attention: Any, own: str, every: str, name: str) -> str:
        """Add attention of the tokens of `own` to every token."""
        write = self.writer
        query = write.linear(attention.query, own, f"{name}_query")
        key = write.linear(attention.key, every, f"{name}_key")
        value = write.linear(attention.value, every, f"{name}_value")
        inputs = [query, key, value] + (["", self._padding] if self._padding else [])
        heads = attention.num_attention_heads
        return write.node("MultiHeadAttention", *inputs, name=name, domain="com.microsoft", num_heads=heads)

    def _residual(self, norm: nn.LayerNorm, value: str, previous: str, name: str) -> str:
        # Sum and not Add: onnxruntime would fuse Add with the normalization that follows to
        # SkipLayerNormalization, which on CPUs takes eight times as long as LayerNormalization.
        return self.writer.normalize(norm, self.writer.node("Sum", value, previous), name)

    def head(self, layer: int) -> nn.Sequential:
        """The head that reads the states of a layer."""
        if layer == len(self.bert.encoder.layer) or self.network.exits is None:
            return self.network.head
        return cast("nn.Sequential", self.network.exits.heads[str(layer)])

    def joined_features(self, states: Sequence[_State], config: FeaturesConfig) -> str:
        """Add the features that a head reads; returns (1, features)."""
        vectors = [self._vector(state, config) for state in states[-config.layers :]]
        features = vectors[0] if len(vectors) == 1 else self._joined(vectors, config)
        return features if self.network.chunks is None else self._joined_chunks(self.network.chunks, features)

    def _vector(self, state: _State, config: FeaturesConfig) -> str:
        if config.pool == "cls":
            return state.value if state.cls_only else self._cls(state.value)
        mean = self._mean(state.value, rows=True)
        return mean if config.pool == "mean" else self.writer.node("Concat", self._cls(state.value), mean, axis=-1)

    def _joined(self, vectors: Sequence[str], config: FeaturesConfig) -> str:
        if config.join == "concat":
            return self.writer.node("Concat", *vectors, axis=-1)
        return self.writer.node("Mean" if config.join == "mean" else "Max", *vectors)

    def _joined_chunks(self, chunks: ChunkJoin, features: str) -> str:
        """Add the join of features (chunks, size), all of them real; returns (1, size)."""
        write = self.writer
        if chunks.join == "max":
            return write.node("ReduceMax", features, self._zero)
        if chunks.attention is None:
            return write.node("ReduceMean", features, self._zero)
        first, _, second = cast("tuple[nn.Linear, nn.Tanh, nn.Linear]", tuple(chunks.attention))
        inner = write.node("Tanh", write.linear(first, features, "chunks_inner"))
        weights = write.node("Softmax", write.linear(second, inner, "chunks_outer"), axis=0)
        return write.node("ReduceSum", write.node("Mul", features, weights), self._zero)

    def logits(self, features: str, head: nn.Sequential) -> str:
        """Add a head; returns (1, labels)."""
        write = self.writer
        for number, module in enumerate(head):
            if isinstance(module, nn.Linear):
                features = write.linear(module, features, f"head_{number}")
            elif isinstance(module, nn.ReLU | nn.Tanh):
                features = write.node("Relu" if isinstance(module, nn.ReLU) else "Tanh", features)
        return features

    def mixed(self, logits: str, ngrams: Ngrams) -> str:
        """Mix the logits of the head with those of word pieces and pairs; returns (1, labels)."""
        return write_ngrams(self.writer, ngrams, self._ids, logits)

    def write_probabilities(self, logits: str) -> None:
        """Add the sigmoid, and make it an output."""
        self.writer.output(self.writer.node("Sigmoid", logits), PROBABILITIES, [1, self.network.labels])

    def write_features(self, state: _State) -> None:
        """Add the mean state of all tokens, and make it an output."""
        self.writer.output(self._mean(state.value, rows=False), FEATURES, [1, self.bert.config.hidden_size])

    def write_hidden(self, state: _State) -> None:
        """Make the states of all tokens an output."""
        self.writer.output(state.value, NEXT_HIDDEN, [1, "tokens", self.bert.config.hidden_size])

    def _cls(self, value: str) -> str:
        return self.writer.node(
            "Squeeze", self.writer.node("Slice", value, self._zero, self._one, self._one), self._one
        )

    def _mean(self, value: str, *, rows: bool) -> str:
        """Add the mean of states over the tokens that are not padding: of each row, or of all together."""
        write = self.writer
        if not self._padding:
            return write.node("ReduceMean", value, self._one, keepdims=0)
        axes = self._one if rows else write.weight("rows_and_tokens", [0, 1])
        mask = write.node("Unsqueeze", write.node("Cast", self._mask, to=TensorProto.FLOAT), write.weight("last", [-1]))
        total = write.node("ReduceSum", write.node("Mul", value, mask), axes, keepdims=1)
        mean = write.node("Div", total, write.node("ReduceSum", mask, axes, keepdims=1))
        return write.node("Squeeze", mean, self._one)
