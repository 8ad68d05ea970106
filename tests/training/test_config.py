"""The TOML of a run."""

from pathlib import Path

import pytest

from tests.training import tiny
from training.config import read_config
from training.errors import ConfigError


def test_the_text_is_kept_verbatim_for_the_manifest(tmp_path: Path) -> None:
    path = tiny.config(tmp_path)
    config, text = read_config(path)
    assert text == path.read_text()
    assert config.training_input.max_tokens == 24
    assert config.input.max_tokens == 32


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("[surprise]\n", "surprise: Extra inputs are not permitted"),
        ("[head]\nhiden = 10\n", r"head\.hiden: Extra inputs"),
        ("[head]\ndropout = 1.5\n", r"head\.dropout: Input should be less than 1"),
        ("[quantization]\nper_channel = 'perhaps'\n", r"quantization\.per_channel: Input should be a valid boolean"),
        ("broken", "is not TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config(tiny.config(tmp_path, extra=extra))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["full", "smoke"])
def test_the_shipped_configurations_are_valid(name: str) -> None:
    config, _ = read_config(Path(f"training/configs/{name}.toml"))
    assert config.golden
