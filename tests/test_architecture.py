"""What serving must never load; directions of import are import-linter's, see pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOREIGN = ("torch", "fsspec", "s3fs", "transformers", "sklearn", "onnx", "matplotlib", "huggingface_hub", "training")


@pytest.mark.parametrize("entry", ["app.main", "app.__main__", "model_store.store"])
def test_serving_loads_nothing_of_training(entry: str) -> None:
    """In a fresh interpreter: this one has long loaded everything."""
    program = f"import {entry}, sys; print(*(name for name in {FOREIGN} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.parametrize("entry", ["model_store.classifier", "app.main", "cli.__main__", "training.publishing.export"])
def test_the_telemetry_of_onnxruntime_is_disabled(entry: str, tmp_path: Path) -> None:
    """Where it may, it leaves an identifier of the device in the cache folder as soon as a session is made."""
    program = f"import {entry}; from tests import builders; builders.classifier()"
    # Without CI, where onnxruntime is silent by itself; the folders are ours to look into.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []
