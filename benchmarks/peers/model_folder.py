"""Turns an artefact into a folder that transformers can load, with the artefact's own weights in fp32.

Every peer then serves the same network as the service, and any peer that loads a sequence classifier from a folder
can take part. The int8 weights are multiplied by their scales; only activations lose their quantization.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save_file

from model_store.artefact import TOKENIZER, Artefact
from training.importing.published import weights_in_blocks

Weights = dict[str, NDArray[np.float32]]

# ELECTRA's classifier is linear, Gelu, linear on the CLS state; ours has ReLU. Gelu(K x) / K is ReLU(x) up to 1 / K.
_K = 1e4
_LAYER = {
    "attention_query": "attention.self.query",
    "attention_key": "attention.self.key",
    "attention_value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "inner": "intermediate.dense",
    "outer": "output.dense",
}
_NORMS = {"attention_norm": "attention.output.LayerNorm", "": "output.LayerNorm"}


# The module and the class for a head that no class of transformers has.
_CODE = Path(__file__).parent / "servers" / "modeling_papers.py"
_CLASS = "PapersClassifier"


def write_model_folder(artefact: Artefact, folder: Path) -> Path:
    """Write config.json, model.safetensors and tokenizer files for `ElectraForSequenceClassification`.

    ELECTRA's encoder is BERT's, token types included, and its classifier can hold our head, which BERT's own (Tanh)
    cannot. A head that reads several layers comes with code of its own, to be loaded with `trust_remote_code`. Raises
    KeyError for an artefact whose graph is not the one that `training.publishing.bert` writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A network with early exits is stored in several graphs.
    models = [onnx.load_model_from_string(file) for name, file in artefact.files.items() if name.endswith(".onnx")]
    weights = _initializers(models)
    state = _electra(weights)
    save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, folder / "model.safetensors")
    labels = [label.name for label in artefact.manifest.labels]
    config = _config(models, weights, labels)
    if layers := _head_layers(weights):
        config |= {
            "architectures": [_CLASS],
            "auto_map": {"AutoModelForSequenceClassification": f"{_CODE.stem}.{_CLASS}"},
            "head_layers": layers,
            "head_hidden": weights["head_1_weight"].shape[1],
        }
        shutil.copy(_CODE, folder)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "tokenizer.json").write_bytes(artefact.files[TOKENIZER])
    length = artefact.manifest.input.max_tokens
    settings = {"tokenizer_class": "BertTokenizerFast", "model_max_length": length, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    return folder


def _initializers(models: Sequence[onnx.ModelProto]) -> Weights:
    """Initializers by name; quantized ones in fp32, under the name that they had before quantization."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for model in models for tensor in model.graph.initializer}
    weights: Weights = {}
    for name, value in stored.items():
        base = name.removesuffix("_quantized")
        if base != name:
            zero, scale = stored[f"{base}_zero_point"], stored[f"{base}_scale"]
            weights[base] = ((value.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)
        elif value.dtype == np.float32:
            weights[name] = value
    blocks = [found for model in models for found in weights_in_blocks(model.graph, stored)]
    return weights | {name: value.T for name, value in blocks}


def _electra(weights: Mapping[str, NDArray[np.float32]]) -> Weights:
    state: Weights = {
        "electra.embeddings.word_embeddings.weight": weights["embeddings_words_weight"],
        "electra.embeddings.token_type_embeddings.weight": weights["embeddings_types_weight"],
        "electra.embeddings.position_embeddings.weight": weights["embeddings_positions_weight"],
        "electra.embeddings.LayerNorm.weight": weights["embeddings_weight"],
        "electra.embeddings.LayerNorm.bias": weights["embeddings_bias"],
    }
    for number in range(1, _layers(weights) + 1):
        to = f"electra.encoder.layer.{number - 1}"
        for ours, theirs in _LAYER.items():
            state[f"{to}.{theirs}.weight"] = weights[f"layer_{number}_{ours}_weight"].T
            state[f"{to}.{theirs}.bias"] = weights[f"layer_{number}_{ours}_bias"]
        for ours, theirs in _NORMS.items():
            norm = "_".join(filter(None, (f"layer_{number}", ours)))
            state[f"{to}.{theirs}.weight"] = weights[f"{norm}_weight"]
            state[f"{to}.{theirs}.bias"] = weights[f"{norm}_bias"]
    return state | _classifier(weights)


def _classifier(weights: Mapping[str, NDArray[np.float32]]) -> Weights:
    """Our head; Platt's lines become part of the last layer. On a CLS state alone it takes the place of ELECTRA's."""
    labels = len(weights["head_4_bias"])
    slopes = weights.get("calibration_slopes", np.ones(labels, np.float32))
    intercepts = weights.get("calibration_intercepts", np.zeros(labels, np.float32))
    dense, bias = weights["head_1_weight"].T, weights["head_1_bias"]
    out = slopes[:, None] * weights["head_4_weight"].T
    last_bias = slopes * weights["head_4_bias"] + intercepts
    if _head_layers(weights):
        return {"dense.weight": dense, "dense.bias": bias, "out_proj.weight": out, "out_proj.bias": last_bias}
    # Padded with zeros to the encoder's width.
    inner, width = dense.shape
    return {
        "classifier.dense.weight": np.pad(_K * dense, ((0, width - inner), (0, 0))),
        "classifier.dense.bias": np.pad(_K * bias, (0, width - inner)),
        "classifier.out_proj.weight": np.pad(out / _K, ((0, 0), (0, width - inner))),
        "classifier.out_proj.bias": last_bias,
    }


def _head_layers(weights: Mapping[str, NDArray[np.float32]]) -> int:
    """Layers of which the head reads the CLS state and the mean state; 0 if it reads the last CLS state alone."""
    width = int(weights["embeddings_words_weight"].shape[1])
    return len(weights["head_1_weight"]) // (2 * width)


def _config(
    models: Sequence[onnx.ModelProto], weights: Mapping[str, NDArray[np.float32]], labels: Sequence[str]
) -> dict[str, object]:
    vocabulary, hidden = weights["embeddings_words_weight"].shape
    return {
        "architectures": ["ElectraForSequenceClassification"],
        "model_type": "electra",
        "problem_type": "multi_label_classification",
        "vocab_size": vocabulary,
        "embedding_size": hidden,
        "hidden_size": hidden,
        "num_hidden_layers": _layers(weights),
        "num_attention_heads": _attribute(models, "MultiHeadAttention", "num_heads"),
        "intermediate_size": len(weights["layer_1_inner_bias"]),
        "max_position_embeddings": len(weights["embeddings_positions_weight"]),
        "type_vocab_size": len(weights["embeddings_types_weight"]),
        "layer_norm_eps": _attribute(models, "LayerNormalization", "epsilon"),
        "hidden_act": "gelu",
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }


def _layers(weights: Mapping[str, object]) -> int:
    return sum(name.startswith("layer_") and name.endswith("_inner_bias") for name in weights)


def _attribute(models: Iterable[onnx.ModelProto], operator: str, name: str) -> float:
    """An attribute that all nodes of this operator share."""
    found = {
        onnx.helper.get_attribute_value(attribute)
        for model in models
        for node in model.graph.node
        if node.op_type == operator
        for attribute in node.attribute
        if attribute.name == name
    }
    (value,) = found
    return cast("float", value)
