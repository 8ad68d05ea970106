"""Head and loss."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training import tiny
from training.config import AuxiliaryConfig, EncoderConfig, HeadConfig
from training.model.network import SubjectNetwork, load_network

IDS = torch.tensor([[2, 19, 20, 3], [2, 21, 22, 3]])


@pytest.fixture
def network(tmp_path: Path) -> SubjectNetwork:
    return load_network(EncoderConfig(source=str(tiny.encoder(tmp_path))), HeadConfig(), labels=3)


def test_the_head_is_the_small_one_on_the_cls_vector(network: SubjectNetwork) -> None:
    assert [type(layer) for layer in network.head] == [nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [layer.p for layer in network.head if isinstance(layer, nn.Dropout)] == [0.3, 0.3]
    assert [layer.out_features for layer in network.head if isinstance(layer, nn.Linear)] == [50, 3]


def test_the_loss_is_taken_on_raw_logits(network: SubjectNetwork) -> None:
    """A second sigmoid would hold the loss of a sure and right network above 0.3."""
    last = network.head[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([10.0, -10.0, -10.0]))
    loss = network(IDS, torch.ones_like(IDS), torch.zeros_like(IDS), torch.tensor([[1.0, 0, 0]] * 2))["loss"]
    assert loss < 1e-3


def test_a_frozen_encoder_learns_nothing(tmp_path: Path) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path)), freeze=True)
    network = load_network(source, HeadConfig(), labels=3)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained == {"head.1.weight", "head.1.bias", "head.4.weight", "head.4.bias"}


def test_dropout_inside_the_encoder_can_be_set(tmp_path: Path) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path)), dropout=0.25)
    network = load_network(source, HeadConfig(), labels=3)
    assert {m.p for m in network.encoder.modules() if isinstance(m, nn.Dropout)} == {0.25}


def test_the_auxiliary_head_adds_to_the_loss_only_where_categories_are_known(network: SubjectNetwork) -> None:
    network.eval()
    labels, mask = torch.tensor([[1.0, 0, 0]] * 2), torch.ones_like(IDS)
    plain = network(IDS, mask, torch.zeros_like(IDS), labels)
    network.add_auxiliary_head(5, AuxiliaryConfig(weight=0.5))
    unknown = network(IDS, mask, torch.zeros_like(IDS), labels, torch.full((2, 5), torch.nan))
    known = network(IDS, mask, torch.zeros_like(IDS), labels, torch.tensor([[1.0, 0, 0, 0, 0], [torch.nan] * 5]))
    assert unknown["loss"] == plain["loss"]
    assert known["loss"] > plain["loss"]
    assert torch.equal(known["logits"], plain["logits"])
