"""Restores the encoder of a published artefact from its graph, so that training can start from it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from model_store.store import TOKENIZER, Artefact
from training.errors import ConfigError

# Names of weights in the graphs that `training.publishing.bert` writes, and in transformers' BertModel.
_EMBEDDINGS = {
    "embeddings_words_weight": "word_embeddings.weight",
    "embeddings_types_weight": "token_type_embeddings.weight",
    "embeddings_positions_weight": "position_embeddings.weight",
    "embeddings_weight": "LayerNorm.weight",
    "embeddings_bias": "LayerNorm.bias",
}
_LAYER = {
    "_attention_query": "attention.self.query",
    "_attention_key": "attention.self.key",
    "_attention_value": "attention.self.value",
    "_attention_output": "attention.output.dense",
    "_attention_norm": "attention.output.LayerNorm",
    "_inner": "intermediate.dense",
    "_outer": "output.dense",
    "": "output.LayerNorm",
}
_ACTIVATIONS = {"Gelu": "gelu", "Relu": "relu"}
# Weights in blocks are stored as their value plus this.
_BLOCK_ZERO = 128

Weights = Mapping[str, NDArray[np.float32]]


def write_encoder(artefact: Artefact, folder: Path) -> None:
    """Write encoder and tokenizer of an artefact in the Hugging Face layout.

    Weights are those of the graph, which were rounded to int8 when it was published. Raises ConfigError if the graph is
    not one that this package writes for a BERT.
    """
    graphs = [file for name, file in artefact.files.items() if name.endswith(".onnx")]
    restored = restore(graphs)
    if restored is None:
        raise ConfigError(
            f"{artefact.manifest.name} {artefact.manifest.version} is no BERT, or its graph was exported by torch; "
            "expected an artefact of a BERT that was fitted or imported here"
        )
    restored.save_pretrained(folder)
    _tokenizer(artefact).save_pretrained(folder)


def restore(parts: Sequence[bytes]) -> BertModel | None:
    """The encoder in the parts of a graph; None if `training.publishing.bert` did not write them."""
    graphs = [onnx.load_model_from_string(part).graph for part in parts]
    weights = {name: value for graph in graphs for name, value in _weights(graph)}
    if "layer_1_attention_query_bias" not in weights:
        return None
    config = _config(graphs, weights)
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.load_state_dict(_named_as_in_bert(weights, config))
    return encoder


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The weights of a graph in fp32 by their names before quantization; matrices as (outputs, inputs)."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, array in arrays.items():
        if name.endswith("_weight_quantized"):
            plain = name.removesuffix("_quantized")
            zero = arrays[f"{plain}_zero_point"].astype(np.float32)
            yield plain, _turned(plain, (array.astype(np.float32) - zero) * arrays[f"{plain}_scale"])
        elif array.dtype == np.float32:
            yield name, _turned(name, array)
    yield from weights_in_blocks(graph, arrays)


def weights_in_blocks(
    graph: onnx.GraphProto, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The weights of MatMulNBits with 8 bits, in fp32, as (outputs, inputs), by their names before quantization."""
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            inputs = next(attribute.i for attribute in node.attribute if attribute.name == "K")
            blocks, scales = arrays[node.input[1]], arrays[node.input[2]]
            values = (blocks.astype(np.float32) - _BLOCK_ZERO) * scales.reshape(*blocks.shape[:2], 1)
            # The last block is padded where the number of inputs is no multiple of a block.
            yield node.input[1].removesuffix("_Q8"), values.reshape(len(blocks), -1)[:, :inputs]


def _turned(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    # Graphs hold (inputs, outputs), except for embeddings, which are rows.
    return array.T if array.ndim == 2 and name not in _EMBEDDINGS else array


def _config(graphs: Sequence[onnx.GraphProto], weights: Weights) -> BertConfig:
    nodes = [node for graph in graphs for node in graph.node]
    attention = [node for node in nodes if node.op_type == "MultiHeadAttention"]
    activation = next(_ACTIVATIONS[node.op_type] for node in nodes if node.op_type in _ACTIVATIONS)
    norm = next(node for node in nodes if node.op_type == "LayerNormalization")
    words, positions = weights["embeddings_words_weight"], weights["embeddings_positions_weight"]
    return BertConfig(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_hidden_layers=len(attention),
        num_attention_heads=next(a.i for a in attention[0].attribute if a.name == "num_heads"),
        intermediate_size=len(weights["layer_1_inner_bias"]),
        hidden_act=activation,
        max_position_embeddings=len(positions),
        type_vocab_size=len(weights["embeddings_types_weight"]),
        layer_norm_eps=next(a.f for a in norm.attribute if a.name == "epsilon"),
    )


def _named_as_in_bert(weights: Weights, config: BertConfig) -> dict[str, torch.Tensor]:
    names = {here: f"embeddings.{there}" for here, there in _EMBEDDINGS.items()}
    for number in range(config.num_hidden_layers):
        for here, there in _LAYER.items():
            for part in ("weight", "bias"):
                names[f"layer_{number + 1}{here}_{part}"] = f"encoder.layer.{number}.{there}.{part}"
    return {there: torch.tensor(np.ascontiguousarray(weights[here])) for here, there in names.items()}


def _tokenizer(artefact: Artefact) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer.from_str(artefact.files[TOKENIZER].decode())
    form = artefact.manifest.input
    specials = {"cls_token": form.cls_token, "sep_token": form.sep_token}
    others = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    specials |= {name: token for name, token in others.items() if tokenizer.token_to_id(token) is not None}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials)
