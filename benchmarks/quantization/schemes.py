"""Quantization schemes; each makes the file that would be published."""

import copy
import importlib.util
import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

from training.config import QuantizationConfig
from training.model.network import SubjectNetwork
from training.publishing.quantization_schemes import quantize
from training.publishing.torch_export import torch_graph

REFERENCE = "torch, fp32"
INSTALL_TORCHAO = "not installed: `pip install --no-deps torchao==0.18.0`"


class Scheme(NamedTuple):
    """One quantization scheme."""

    name: str
    kind: str
    """What reads the file: "torch", "torchao" or "onnx"."""
    file: bytes | None
    """None if a required package is not installed."""


def schemes(network: SubjectNetwork) -> list[Scheme]:
    """All schemes, applied to one fitted network; the first is the reference."""
    graph = torch_graph(copy.deepcopy(network))
    # The fastest in torch on a CPU; training may use another one.
    network.encoder.set_attn_implementation("sdpa")  # type: ignore[operator]
    made: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("onnxruntime, fp32", lambda fp32: fp32),
        ("onnxruntime, int8 per channel, 7-bit weights", _dynamic(per_channel=True, reduce_range=True)),
        ("onnxruntime, int8 per channel, 8-bit weights", _dynamic(per_channel=True, reduce_range=False)),
        ("onnxruntime, int8 per tensor, 8-bit weights", _dynamic(per_channel=False, reduce_range=False)),
        ("onnxruntime, uint8 per channel", _unsigned),
        ("onnxruntime, MatMulNBits, 8 bits in blocks of 32", _blocks),
    ]
    return [
        Scheme(REFERENCE, "torch", _saved(network)),
        Scheme("torch, dynamic int8", "torch", _saved(_torch_dynamic(network))),
        Scheme("torchao, int8 activations and weights", "torchao", _torchao(network)),
        *(Scheme(name, "onnx", make(graph)) for name, make in made),
    ]


def _saved(network: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(network, buffer)
    return buffer.getvalue()


def _torch_dynamic(network: SubjectNetwork) -> torch.nn.Module:
    """Dynamic quantization as in PyTorch's BERT tutorial."""
    with warnings.catch_warnings():
        # Deprecated in favour of torchao, which is a row of its own; here it is what is compared with.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        made: torch.nn.Module = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            copy.deepcopy(network), {torch.nn.Linear}, dtype=torch.qint8
        )
        return made


def _torchao(network: SubjectNetwork) -> bytes | None:
    if importlib.util.find_spec("torchao") is None:
        return None
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    made = copy.deepcopy(network)
    quantize_(made, Int8DynamicActivationInt8WeightConfig())
    for module in made.modules():
        # torchao's description of a layer, which cannot be pickled.
        module.__dict__.pop("extra_repr", None)
    return _saved(made)


def _dynamic(*, per_channel: bool, reduce_range: bool) -> Callable[[bytes], bytes]:
    return lambda graph: quantize(graph, QuantizationConfig(per_channel=per_channel, reduce_range=reduce_range))


def _unsigned(graph: bytes) -> bytes:
    return _through_files(
        graph,
        lambda source, target: quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QUInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        ),
    )


def _blocks(graph: bytes) -> bytes:
    quantizer = MatMulNBitsQuantizer(
        onnx.load_model_from_string(graph),
        algo_config=DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=4, bits=8),
    )
    quantizer.process()
    # The embeddings are as large as the layers; their table alone goes to int8 the dynamic way.
    return _through_files(
        quantizer.model.model.SerializeToString(),
        lambda source, target: quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["Gather"],
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        ),
    )


def _through_files(graph: bytes, change: Callable[[Path, Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.onnx"), Path(folder, "target.onnx")
        model = onnx.load_model_from_string(graph)
        # Shape annotations of weights make the quantizer fail (microsoft/onnxruntime#25890).
        del model.graph.value_info[:]
        onnx.save(model, source)
        change(source, target)
        return target.read_bytes()
