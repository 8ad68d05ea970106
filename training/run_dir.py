"""The directory in which a run keeps its files before it publishes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunDir:
    """Paths below one directory; nothing is created here."""

    path: Path
    shared: Path | None = None
    """Where further pre-training works if other runs start from the same encoder; absent: in `path`."""

    @property
    def inputs(self) -> Path:
        """The record of the inputs of the files here; see training.provenance."""
        return self.path / "inputs.json"

    @property
    def pretraining(self) -> Path:
        """Checkpoints, TensorBoard events and metrics.jsonl of further pre-training."""
        return (self.shared or self.path) / "pretraining"

    @property
    def encoder(self) -> Path:
        """The encoder after further pre-training. It is renamed into place last, so it is complete if it exists."""
        return (self.shared or self.path) / "encoder"

    @property
    def encoder_inputs(self) -> Path:
        """The record of the inputs of the encoder; see training.provenance."""
        return (self.shared or self.path) / "encoder-inputs.json"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, TensorBoard events and metrics.jsonl of fitting."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """Loss, learning rate and evaluations of fitting, one JSON object per line."""
        return self.checkpoints / "metrics.jsonl"

    @property
    def weights(self) -> Path:
        """The fitted network. It is renamed into place last, so it is complete if it exists."""
        return self.path / "network.safetensors"

    @property
    def ngrams(self) -> Path:
        """The model of word pieces and pairs."""
        return self.path / "ngrams.safetensors"

    @property
    def baseline(self) -> Path:
        """Figures of TF-IDF with logistic regression."""
        return self.path / "baseline.json"

    @property
    def report(self) -> Path:
        """Pictures drawn on publishing."""
        return self.path / "report"
