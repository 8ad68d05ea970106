"""Writes the part of a graph that computes the model of word pieces and pairs."""

from onnx import TensorProto

from training.model.ngrams import FIRST_FACTOR, SECOND_FACTOR, Ngrams
from training.publishing.graph_writer import GraphWriter

_TO_THE_END = 2**31


def write_ngrams(write: GraphWriter, ngrams: Ngrams, ids: str, logits: str) -> str:
    """Add the model for one paper without padding, and mix its logits with those of the head.

    `ids` has shape (1, tokens), `logits` and the result have (1, labels).
    """
    rows = write.node("Concat", ids, _pairs(write, ngrams, ids), axis=1)
    axis = write.weight("ngrams_axis", [1])
    weights = write.node("Gather", write.weight("ngrams_weight", ngrams.weights.weight), rows, name="ngrams_rows")
    total = write.node("ReduceSum", weights, axis, keepdims=0)
    count = write.node("Cast", write.node("Shape", rows, start=1), to=TensorProto.FLOAT)
    scaled = write.node("Div", total, write.node("Sqrt", count))
    own = write.node("Add", scaled, write.weight("ngrams_bias", ngrams.bias))
    shared = write.node("Mul", own, write.weight("ngrams_share", [ngrams.share]))
    return write.node("Add", write.node("Mul", logits, write.weight("head_share", [1 - ngrams.share])), shared)


def _pairs(write: GraphWriter, ngrams: Ngrams, ids: str) -> str:
    """The rows of all pairs of neighbouring word pieces, (1, tokens - 1)."""
    zero, one = write.weight("ngrams_first", [0]), write.weight("ngrams_second", [1])
    first = write.node("Slice", ids, zero, write.weight("ngrams_last", [-1]), one)
    second = write.node("Slice", ids, one, write.weight("ngrams_end", [_TO_THE_END]), one)
    hashed = write.node(
        "Add",
        write.node("Mul", first, write.weight("first_factor", [FIRST_FACTOR])),
        write.node("Mul", second, write.weight("second_factor", [SECOND_FACTOR])),
    )
    buckets = write.node("Mod", hashed, write.weight("buckets", [ngrams.buckets]))
    return write.node("Add", buckets, write.weight("pieces", [ngrams.pieces]))
