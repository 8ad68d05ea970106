"""Dynamic int8 quantization of a graph."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from training.config import QuantizationConfig


def quantize(graph: bytes, config: QuantizationConfig) -> bytes:
    """The same graph with int8 weights, embeddings included; activations are quantized at run time."""
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
    """A description of what `quantize` does, for the manifest."""
    return (
        "dynamic int8 (onnxruntime quantize_dynamic, "
        f"{'per channel' if config.per_channel else 'per tensor'}, "
        f"{'7-bit weights: no saturation on any processor' if config.reduce_range else '8-bit weights'}), "
        "one paper per run"
    )


def _without_stale_shapes(graph: bytes) -> onnx.ModelProto:
    """The graph without the recorded shapes of its weights.

    quantize_dynamic transposes weights and then finds the old shapes wrong (microsoft/onnxruntime#25890).
    """
    model = onnx.load_model_from_string(graph)
    weights = {initializer.name for initializer in model.graph.initializer}
    kept = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    return model
