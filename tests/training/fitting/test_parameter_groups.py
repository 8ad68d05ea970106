"""Learning rates and weight decay by parameter."""

from pathlib import Path

import pytest

from tests.training import tiny
from training.config import AuxiliaryConfig, EncoderConfig, FitConfig, HeadConfig
from training.fitting.parameter_groups import parameter_groups
from training.model.network import SubjectNetwork, load_network


@pytest.fixture
def network(tmp_path: Path) -> SubjectNetwork:
    return load_network(EncoderConfig(source=str(tiny.encoder(tmp_path))), HeadConfig(), labels=3)


def test_learning_rates_fall_from_the_head_to_the_embeddings(network: SubjectNetwork) -> None:
    fit = FitConfig(learning_rate=1e-4, head_learning_rate=1e-3, layer_decay=0.5, weight_decay=0.01)
    groups = parameter_groups(network, fit)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}  # type: ignore[attr-defined]
    found = {name: rates[id(p)] for name, p in network.named_parameters()}
    assert found["head.1.weight"] == 1e-3
    assert found["encoder.encoder.layer.1.output.dense.weight"] == 1e-4
    assert found["encoder.encoder.layer.0.output.dense.weight"] == 5e-5
    assert found["encoder.embeddings.word_embeddings.weight"] == 2.5e-5


def test_the_auxiliary_head_learns_at_the_head_s_rate(network: SubjectNetwork) -> None:
    network.add_auxiliary_head(5, AuxiliaryConfig(weight=0.5))
    groups = parameter_groups(network, FitConfig(learning_rate=1e-4, head_learning_rate=1e-3, layer_decay=0.5))
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}  # type: ignore[attr-defined]
    assert {rates[id(p)] for name, p in network.named_parameters() if name.startswith("auxiliary.")} == {1e-3}


def test_biases_and_norms_are_not_decayed(network: SubjectNetwork) -> None:
    for group in parameter_groups(network, FitConfig(weight_decay=0.01)):
        assert {p.ndim >= 2 for p in group["params"]} == {group["weight_decay"] == 0.01}  # type: ignore[attr-defined]
