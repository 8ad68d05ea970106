"""The graph that is written for serving computes what the network computes, by the operators that are fast."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import BertConfig, BertModel

from model_store.classifier import OnnxGraph
from model_store.papers import Encoding, InputFormat, Paper, PaperEncoder
from tests import builders
from tests.training import tiny
from training.config import FeaturesConfig, HeadConfig
from training.model.network import SubjectNetwork
from training.model.ngrams import Ngrams
from training.publishing.bert import bert_graph, is_supported
from training.publishing.export import export_graph
from training.publishing.graph_writer import FEATURES
from training.publishing.publish import network_scores
from training.publishing.torch_export import torch_graph

PAPERS = [Paper("a quantum star", "of the plasma"), Paper("proof"), Paper("theorem", "the compiler " * 30)]
LAYERS = 3


def network(features: FeaturesConfig = FeaturesConfig(), *, chunked: bool = False, **bert: Any) -> SubjectNetwork:  # noqa: B008  # frozen
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "max_position_embeddings": 64}
    config = BertConfig(vocab_size=40, num_hidden_layers=LAYERS, **sizes | bert)
    encoder = BertModel(config, add_pooling_layer=False)
    made = SubjectNetwork(encoder, config.hidden_size, 3, HeadConfig(), features, chunked=chunked)
    with torch.no_grad():
        for parameter in made.parameters():
            # Larger than torch draws them, so that every part of the network changes the scores.
            parameter.normal_(std=0.3)
    return made.eval()


def encodings(chunks: int | None = None) -> list[Encoding]:
    layout = InputFormat(max_tokens=32 if chunks is None else 16, chunks=chunks)
    return PaperEncoder(builders.tokenizer(), layout).encode(PAPERS)


def optimized(graph: bytes, path: Path) -> onnx.GraphProto:
    """The graph as onnxruntime runs it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return onnx.load(path).graph


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("layer", [0, 1, LAYERS])
def test_probabilities_and_features_are_those_of_the_network(activation: str, pool: str, layer: int) -> None:
    net = network(FeaturesConfig.model_validate({"pool": pool}), hidden_act=activation)
    graph, papers = OnnxGraph(bert_graph(net, layer)), encodings()
    np.testing.assert_allclose(tiny.scores(graph, papers), network_scores(net, papers), atol=1e-5)
    for paper in papers:
        ids, mask, types = (torch.from_numpy(rows) for rows in paper.rows())
        with torch.no_grad():
            output = net.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True)
        (features,) = graph.run(paper, [FEATURES])
        np.testing.assert_allclose(features, output.hidden_states[layer][0].mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("join", ["mean", "max", "attention"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_papers_in_chunks_get_the_results_of_the_generic_export(pool: str, join: str) -> None:
    net = network(FeaturesConfig.model_validate({"pool": pool, "chunks": join}), chunked=True)
    written, exported = OnnxGraph(bert_graph(net, 1)), OnnxGraph(torch_graph(net, 1))
    for paper in encodings(chunks=3):
        for one, other in zip(
            written.run(paper, ["probabilities", FEATURES]),
            exported.run(paper, ["probabilities", FEATURES]),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, atol=1e-5)


def with_ngrams(net: SubjectNetwork) -> SubjectNetwork:
    net.ngrams = Ngrams(40, 64, net.labels, share=0.4)
    with torch.no_grad():
        for parameter in net.ngrams.parameters():
            parameter.normal_()
    return net.eval()


@pytest.mark.parametrize("activation", ["gelu", "silu"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_word_pieces_and_pairs_are_mixed_with_the_head(activation: str) -> None:
    net, papers = with_ngrams(network(hidden_act=activation)), encodings()
    plain, mixed = network_scores(network(hidden_act=activation), papers), network_scores(net, papers)
    assert np.abs(plain - mixed).max() > 0.1
    np.testing.assert_allclose(tiny.scores(OnnxGraph(export_graph(net, 1)), papers), mixed, atol=1e-5)


def test_onnxruntime_keeps_the_fused_operators(tmp_path: Path) -> None:
    operators = Counter(node.op_type for node in optimized(bert_graph(network(), 1), tmp_path / "graph.onnx").node)
    assert operators["MultiHeadAttention"] == LAYERS
    assert operators["LayerNormalization"] == 1 + 2 * LAYERS
    assert operators["Gelu"] + operators["BiasGelu"] == LAYERS
    assert operators["Softmax"] == operators["SkipLayerNormalization"] == operators["Where"] == 0


def test_the_last_layer_is_computed_for_the_cls_token_alone_where_nothing_else_is_read() -> None:
    for layer, first in ((1, "slice"), (LAYERS, f"layer_{LAYERS - 1}")):
        nodes = {node.name: node for node in onnx.load_model_from_string(bert_graph(network(), layer)).graph.node}
        assert nodes[f"layer_{LAYERS}_attention_query_product"].input[0].startswith(first)
        assert nodes[f"layer_{LAYERS}_attention_key_product"].input[0] == f"layer_{LAYERS - 1}"


def test_several_papers_at_once_are_refused() -> None:
    session = onnxruntime.InferenceSession(bert_graph(network()), providers=["CPUExecutionProvider"])
    rows = {name: np.ones((2, 8), dtype=np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    with pytest.raises(Exception, match="Got invalid dimensions for input"):
        session.run(None, rows)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_an_encoder_that_cannot_be_written_is_exported_by_torch() -> None:
    net, papers = network(hidden_act="silu"), encodings()
    assert not is_supported(net.encoder)
    scores = tiny.scores(OnnxGraph(export_graph(net)), papers)
    np.testing.assert_allclose(scores, network_scores(net, papers), atol=1e-5)
