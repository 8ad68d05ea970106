"""What serving must never load; directions of import are import-linter's, see pyproject.toml."""

import subprocess
import sys

import pytest

FOREIGN = ("torch", "transformers", "sklearn", "onnx", "matplotlib", "huggingface_hub", "training")


@pytest.mark.parametrize("entry", ["app.main", "app.__main__", "model_store.store"])
def test_serving_loads_nothing_of_training(entry: str) -> None:
    """In a fresh interpreter: this one has long loaded everything."""
    program = f"import {entry}, sys; print(*(name for name in {FOREIGN} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
