"""Refuses ONNX graphs that read weights from other files.

A graph may name files beside it for its weights. Such files are outside the artefact's checksums,
and a graph loaded from memory would look for them in the working directory. Serving has no `onnx`
package, so the fields that matter are read from the protobuf encoding itself
(https://protobuf.dev/programming-guides/encoding/, field numbers from onnx.proto).
"""

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# By message: the fields that hold further messages on the way to a tensor.
_NESTED = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 11: "Attribute"},
}
# TensorProto.external_data, and TensorProto.data_location with the value EXTERNAL.
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1
# Graphs within graphs: those of If and Loop. Real ones have two or three levels.
_DEEPEST = 100


class _Field(NamedTuple):
    number: int
    value: int
    """Of a varint."""
    content: memoryview
    """Of a nested message, a string or packed numbers."""


def reads_other_files(model: bytes) -> bool:
    """Whether a tensor of an ONNX model has its data in another file; ValueError if this is not an ONNX model."""
    fields = list(_fields(memoryview(model)))
    if not any(field.number == 7 for field in fields):
        raise ValueError("it has no graph")
    # A list instead of recursion, since the file determines the depth of nesting.
    open_messages = [("Model", memoryview(model), 0)]
    while open_messages:
        kind, content, depth = open_messages.pop()
        if depth > _DEEPEST:
            raise ValueError("its graphs are nested too deeply")
        for field in _fields(content):
            if kind == "Tensor":
                if field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value == _EXTERNAL):
                    return True
            elif nested := _NESTED[kind].get(field.number):
                open_messages.append((nested, field.content, depth + 1))
    return False


def _fields(message: memoryview) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        value, size = 0, 0
        if wire_type == _VARINT:
            value, at = _varint(message, at)
        elif wire_type == _BYTES:
            size, at = _varint(message, at)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError("it is not encoded as protobuf")
        if at + size > len(message):
            raise ValueError("it ends too early")
        yield _Field(number, value, message[at : at + size])
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends too early")
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise ValueError("it is not encoded as protobuf")
