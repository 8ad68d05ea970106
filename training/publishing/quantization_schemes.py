"""Quantization schemes for the weights of a graph, the fastest first."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from training.config import QuantizationConfig

# The residual sums that follow the feed-forward layers have the outliers that int8 activations handle badly
# (Bondarenko et al. 2021, section 3). These names come from `training.publishing.bert`.
_SENSITIVE = "_outer_product"


class Scheme(NamedTuple):
    """One way to quantize."""

    description: str
    """For the manifest."""
    quantize: Callable[[bytes], bytes]


def schemes(config: QuantizationConfig) -> list[Scheme]:
    """The schemes to try: each costs more time or more bytes than the one before it, and loses less."""
    own = partial(quantize, config=config)
    return [
        Scheme(f"dynamic int8 ({_words(config)}), one paper per run", own),
        Scheme("int8 weights in blocks of 32 (onnxruntime MatMulNBits), one paper per run", quantize_blocks),
        Scheme(
            f"dynamic int8 ({_words(config)}) but for the feed-forward outputs, which stay fp32; one paper per run",
            partial(quantize, config=config, keep_sensitive=True),
        ),
    ]


def quantize(graph: bytes, config: QuantizationConfig, *, keep_sensitive: bool = False) -> bytes:
    """The same graph with int8 weights, embeddings included; activations are quantized at run time."""
    names = [node.name for node in onnx.load_model_from_string(graph).graph.node]
    return _quantize_dynamic(
        graph,
        per_channel=config.per_channel,
        reduce_range=config.reduce_range,
        nodes_to_exclude=[name for name in names if name.endswith(_SENSITIVE)] if keep_sensitive else [],
    )


def quantize_blocks(graph: bytes) -> bytes:
    """The same graph with one scale for each block of 32 weights; onnxruntime scales activations by block, too."""
    blocks = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=4, bits=8)
    quantizer = MatMulNBitsQuantizer(onnx.load_model_from_string(graph), algo_config=blocks)
    quantizer.process()
    # The embeddings are as large as the layers; they are looked up, not multiplied.
    return _quantize_dynamic(quantizer.model.model.SerializeToString(), op_types_to_quantize=["Gather"])


def _quantize_dynamic(graph: bytes, **options: Any) -> bytes:
    model = onnx.load_model_from_string(graph)
    # quantize_dynamic transposes weights and then finds their recorded shapes wrong (microsoft/onnxruntime#25890).
    del model.graph.value_info[:]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.onnx"), Path(folder, "target.onnx")
        onnx.save(model, source)
        extra = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, extra_options=extra, **options)
        return target.read_bytes()


def _words(config: QuantizationConfig) -> str:
    channels = "per channel" if config.per_channel else "per tensor"
    bits = "7-bit weights: no saturation on any processor" if config.reduce_range else "8-bit weights"
    return f"onnxruntime quantize_dynamic, {channels}, {bits}"
