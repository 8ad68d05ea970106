"""Training that continues from the weights of an earlier run."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training import tiny
from training.__main__ import main
from training.errors import ConfigError
from training.model.weights import read_categories, require_labels

CATEGORIES = '[auxiliary]\ncolumn = "ABSTRACT"\nfewest = {fewest}\n'


def fit(config: Path) -> int:
    return main(["fit", str(config), "--runs", str(config.parent / "runs")])


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The weights of a run that was fitted."""
    assert fit(tiny.config(tmp_path, epochs=1, extra=CATEGORIES.format(fewest=30))) == 0
    return tmp_path / "runs/tiny-0.1.0/network.safetensors"


def continued(earlier: Path, folder: Path, within: str = "", fewest: int = 30) -> Path:
    lines = f'continue_from = "{earlier}"\n{within}'
    return tiny.config(folder, version="0.2.0", epochs=1, within={"fit": lines}, extra=CATEGORIES.format(fewest=fewest))


def test_the_first_weights_are_those_of_the_earlier_run(earlier: Path, tmp_path: Path) -> None:
    config = continued(earlier, tmp_path, "head_learning_rate = 1e-12")
    config.write_text(config.read_text().replace("learning_rate = 3e-3", "learning_rate = 1e-12"))
    assert fit(config) == 0
    before, after = load_file(earlier), load_file(tmp_path / "runs/tiny-0.2.0/network.safetensors")
    assert before.keys() == after.keys()
    for name, weights in before.items():
        np.testing.assert_allclose(after[name], weights, atol=1e-6, err_msg=name)


def test_the_categories_are_those_of_the_earlier_run_however_many_papers_have_them(
    earlier: Path, tmp_path: Path
) -> None:
    assert read_categories(earlier)
    assert fit(continued(earlier, tmp_path, fewest=60)) == 0
    assert read_categories(tmp_path / "runs/tiny-0.2.0/network.safetensors") == read_categories(earlier)


def test_weights_of_another_network_are_refused(
    earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = continued(earlier, tmp_path)
    config.write_text(f"{config.read_text()}\n[head]\nhidden = 7\n")
    assert fit(config) == 2
    assert "holds the weights of another network" in capsys.readouterr().err


def test_weights_that_changed_are_noticed(earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = continued(earlier, tmp_path)
    assert fit(config) == 0
    weights = load_file(earlier)
    save_file({name: values + 1 for name, values in weights.items()}, earlier, {"categories": "quantum"})
    assert main(["fit", str(config), "--runs", str(tmp_path / "runs"), "--resume"]) == 2
    assert f"the content of {earlier} has changed" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no weights"], ids=["missing", "of another kind"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "network.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as the weights of a fitted network"):
        read_categories(path)


def test_weights_for_labels_in_another_order_are_refused(
    earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = continued(earlier, tmp_path)
    names = json.dumps(list(reversed(tiny.LABELS)))
    config.write_text(config.read_text().replace("[data]\n", f"[data]\nlabels = {names}\n"))
    assert fit(config) == 2
    said = f"for the labels {', '.join(tiny.LABELS)}, so training cannot continue from it with the labels"
    assert said in capsys.readouterr().err


def test_weights_of_earlier_versions_name_no_labels_and_are_accepted(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1)}, tmp_path / "network.safetensors", {"categories": "quantum"})
    require_labels(tmp_path / "network.safetensors", tiny.LABELS)
