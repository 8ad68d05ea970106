"""Heads on lower layers: what they read, what they learn, and which layers may have one."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from tests.training import tiny
from training.config import EncoderConfig, ExitsConfig, FeaturesConfig, HeadConfig
from training.errors import ConfigError
from training.model.exits import exit_features
from training.model.network import SubjectNetwork, load_network

pytestmark = pytest.mark.train


def _network(folder: Path, **changes: object) -> SubjectNetwork:
    source = EncoderConfig(source=str(tiny.encoder(folder)))
    exits = ExitsConfig.model_validate({"layers": (1,), **changes})
    return load_network(source, HeadConfig(dropout=0.0), labels=3, exits=exits)


def _batch() -> dict[str, Tensor]:
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "token_type_ids": torch.zeros_like(ids)}


def test_an_exit_reads_the_cls_state_and_the_mean_of_real_tokens() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]])
    read = exit_features(states, torch.tensor([[1, 1, 0]]))
    assert read.tolist() == [[1.0, 2.0, 2.0, 4.0]]


def test_exits_add_their_weighted_loss_against_labels_and_last_head(tmp_path: Path) -> None:
    network = _network(tmp_path, weight=0.5, teacher=0.25).eval()
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    with_exits = network(**_batch(), labels=labels)
    exits, network.exits = network.exits, None
    without = network(**_batch(), labels=labels)
    assert exits is not None
    hidden = network.encoder(**_batch(), output_hidden_states=True).hidden_states
    (logits,) = exits.logits(hidden, _batch()["attention_mask"]).values()
    bce = nn.functional.binary_cross_entropy_with_logits
    expected = 0.75 * bce(logits, labels) + 0.25 * bce(logits, torch.sigmoid(without["logits"]))
    torch.testing.assert_close(with_exits["loss"], without["loss"] + 0.5 * expected)


def test_the_last_head_does_not_learn_from_an_exit(tmp_path: Path) -> None:
    network = _network(tmp_path, teacher=1.0).eval()
    exits = network.exits
    assert exits is not None
    hidden = network.encoder(**_batch(), output_hidden_states=True).hidden_states
    last = torch.zeros(2, 3, requires_grad=True)
    exits.loss(hidden, _batch()["attention_mask"], last, torch.zeros(2, 3)).backward()  # type: ignore[no-untyped-call]
    assert last.grad is None


@pytest.mark.parametrize("layer", [0, 2, 7])
def test_an_exit_belongs_below_the_last_layer(tmp_path: Path, layer: int) -> None:
    with pytest.raises(ConfigError, match=r"expected layers from 1 to 1"):
        _network(tmp_path, layers=(layer,))


def test_an_exit_above_the_lowest_layer_that_the_last_head_reads_is_refused() -> None:
    """The part of the graph after the exit would lack the states of the layers below it."""
    encoder = BertModel(BertConfig(vocab_size=40, hidden_size=32, num_hidden_layers=3, num_attention_heads=2))
    network = SubjectNetwork(encoder, 32, 3, HeadConfig(), FeaturesConfig(layers=3))
    with pytest.raises(ConfigError, match="the last head reads the layers from 1 up; expected exits up to layer 1"):
        network.add_exits(ExitsConfig(layers=(1, 2)), HeadConfig(), 3)
    network.add_exits(ExitsConfig(layers=(1,)), HeadConfig(), 3)
    assert network.exits is not None
