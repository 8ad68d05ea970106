"""What the head reads: any layer, several joined, CLS or all tokens; and the same from the exported graph."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.classifier import OnnxGraph
from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from tests.training import tiny
from training.config import EncoderConfig, FeaturesConfig, HeadConfig, QuantizationConfig
from training.errors import ConfigError
from training.model.network import SubjectNetwork, load_network
from training.publishing.export import export_graph
from training.publishing.gates import check_parity
from training.publishing.publish import network_scores
from training.publishing.quantization_schemes import quantize

IDS = torch.tensor([[2, 19, 20, 3], [2, 21, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
PAPERS = [Paper("a quantum star", "of the plasma"), Paper("proof"), Paper("theorem", "the compiler " * 30)]

VARIANTS = [
    FeaturesConfig(),
    FeaturesConfig(top=1),
    FeaturesConfig(layers=2, join="concat"),
    FeaturesConfig(layers=2, join="mean"),
    FeaturesConfig(layers=2, join="max"),
    FeaturesConfig(pool="mean"),
    FeaturesConfig(layers=2, join="max", pool="mean"),
]


def network(folder: Path, features: FeaturesConfig = FeaturesConfig()) -> SubjectNetwork:  # noqa: B008  # frozen
    if not (folder / "encoder").exists():
        tiny.encoder(folder / "encoder")
    return load_network(EncoderConfig(source=str(folder / "encoder")), HeadConfig(), 3, features).eval()


def hidden(net: SubjectNetwork) -> list[torch.Tensor]:
    """Hidden states by layer, the embeddings first."""
    output = net.encoder(
        input_ids=IDS, attention_mask=MASK, token_type_ids=torch.zeros_like(IDS), output_hidden_states=True
    )
    return list(output.hidden_states)


def read(net: SubjectNetwork) -> torch.Tensor:
    return net.read(net.hidden_states(IDS, MASK, torch.zeros_like(IDS)), MASK)


def test_by_default_the_head_reads_the_last_layer_s_cls_vector(tmp_path: Path) -> None:
    net = network(tmp_path)
    assert torch.allclose(read(net), hidden(net)[2][:, 0], atol=1e-6)


def test_a_lower_layer_is_read_and_those_above_are_cut_away(tmp_path: Path) -> None:
    whole, cut = network(tmp_path), network(tmp_path, FeaturesConfig(top=1))
    assert torch.allclose(read(cut), hidden(whole)[1][:, 0], atol=1e-6)
    assert not any(".layer.1." in name for name in cut.state_dict())


def test_several_layers_are_joined(tmp_path: Path) -> None:
    first, second = (layer[:, 0] for layer in hidden(network(tmp_path))[1:])
    joined = {
        "concat": torch.cat([first, second], dim=-1),
        "mean": (first + second) / 2,
        "max": torch.maximum(first, second),
    }
    for join, expected in joined.items():
        found = read(network(tmp_path, FeaturesConfig(layers=2, join=join)))
        assert torch.allclose(found, expected, atol=1e-6), join


def test_the_mean_over_tokens_leaves_padding_out(tmp_path: Path) -> None:
    net = network(tmp_path, FeaturesConfig(pool="mean"))
    last = hidden(net)[2]
    expected = torch.stack([last[0].mean(dim=0), last[1, :3].mean(dim=0)])
    assert torch.allclose(read(net), expected, atol=1e-6)


@pytest.mark.parametrize("features", [FeaturesConfig(top=3), FeaturesConfig(layers=3), FeaturesConfig(top=1, layers=2)])
def test_layers_the_encoder_has_not_are_refused(tmp_path: Path, features: FeaturesConfig) -> None:
    with pytest.raises(ConfigError, match=r"\[features\] reads . layers down from layer .; the encoder has 2"):
        network(tmp_path, features)


@pytest.mark.parametrize("features", VARIANTS, ids=str)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_the_exported_graph_reads_the_same(tmp_path: Path, features: FeaturesConfig) -> None:
    net = network(tmp_path, features)
    encodings = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32)).encode(PAPERS)
    graph = export_graph(net)
    scores = tiny.scores(OnnxGraph(graph), encodings)
    check_parity(network_scores(net, encodings), scores)
    int8 = tiny.scores(OnnxGraph(quantize(graph, QuantizationConfig())), encodings)
    np.testing.assert_allclose(int8, scores, atol=0.1)


def test_by_default_the_weights_have_the_names_they_always_had(tmp_path: Path) -> None:
    names = set(network(tmp_path).state_dict())
    assert {name for name in names if not name.startswith("encoder.")} == {
        "head.1.weight", "head.1.bias", "head.4.weight", "head.4.bias",
    }  # fmt: skip
    layer = {
        f"{part}.{kind}"
        for part in (
            "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
            "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
        )
        for kind in ("weight", "bias")
    }  # fmt: skip
    embeddings = {f"{part}_embeddings.weight" for part in ("word", "position", "token_type")}
    expected = {f"encoder.encoder.layer.{i}.{name}" for i in range(2) for name in layer}
    expected |= {f"encoder.embeddings.{name}" for name in embeddings | {"LayerNorm.weight", "LayerNorm.bias"}}
    assert {name for name in names if name.startswith("encoder.")} == expected
