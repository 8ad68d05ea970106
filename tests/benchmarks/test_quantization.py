"""The quantization report, end to end on a tiny network: every scheme runs and every column is filled."""

import importlib.util
import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from benchmarks.quantization.__main__ import main
from tests.training import tiny
from training.config import read_config
from training.model.network import load_network

# Two of the schemes are deprecated, and few papers leave some figures undefined; neither is looked at here.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's folder, with the table beside it; the network is as it was born, which is all this needs."""
    folder = tmp_path_factory.mktemp("quantization")
    path = tiny.config(folder, extra='[exits]\nlayers = [1]\n[auxiliary]\ncolumn = "ABSTRACT"\nfewest = 30\n')
    config, _ = read_config(path)
    assert config.auxiliary is not None
    network = load_network(config.encoder, config.head, len(tiny.LABELS), exits=config.exits)
    network.add_auxiliary_head(5, config.auxiliary)
    place = folder / "runs/tiny-0.1.0"
    place.mkdir(parents=True)
    save_file(network.state_dict(), place / "network.safetensors")
    options = ["--runs", str(folder / "runs"), "--quick", "--tokens", "16", "512", "--threads", "1"]
    main([str(path), *options, "--output", str(folder / "out")])
    return folder / "out"


def test_every_scheme_that_is_installed_is_measured_in_full(kept: Path) -> None:
    report = json.loads((kept / "quantization.json").read_text())
    expected = 9 if importlib.util.find_spec("torchao") else 8
    assert len(report["schemes"]) == expected
    for row in report["schemes"]:
        assert row["megabytes"] > 0
        assert row["load_s"] > 0
        assert row["resident_megabytes"] > row["megabytes"]
        assert 0 <= row["micro_f1"] <= 1
        # The tiny encoder reads 64 tokens: longer ones are not timed.
        assert list(row["latency_ms"]["1"]) == ["16"]
        assert 0 < row["latency_ms"]["1"]["16"]["median"] <= row["latency_ms"]["1"]["16"]["p95"]


def test_fp32_is_the_same_in_both_runtimes_and_in_any_batch(kept: Path) -> None:
    rows = {row["scheme"]: row for row in json.loads((kept / "quantization.json").read_text())["schemes"]}
    for name in ("torch, fp32", "onnxruntime, fp32"):
        assert rows[name]["flipped"] == 0
        assert rows[name]["largest_change_by_batch"] < 1e-5


def test_both_tables_have_a_row_for_every_scheme_installed_or_not(kept: Path) -> None:
    quality, times, note = (kept / "quantization.md").read_text().strip().split("\n\n")
    rows = [[line.split(" | ")[0] for line in table.splitlines()] for table in (quality, times)]
    assert rows[0] == rows[1]
    assert (rows[0][0], len(rows[0])) == ("| scheme", 2 + 9)
    assert "torch, dynamic int8" in quality
    assert times.splitlines()[0] == "| scheme | 16 tokens, 1 thread |"
    assert note.startswith("Times in milliseconds")


def test_a_picture_is_kept(kept: Path) -> None:
    assert (kept / "quantization.png").read_bytes().startswith(b"\x89PNG")
