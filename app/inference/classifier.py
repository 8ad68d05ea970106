"""The classifier that the engine uses, as a protocol."""

from collections.abc import Sequence
from typing import Protocol

from model_store.labels import GraphOutput
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper


class Classifier(Protocol):
    """A loaded artefact; `encode` and `predict` may be called from several threads at once."""

    manifest: Manifest
    sha256: str

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        """One encoding per paper; raises PaperError for a paper without text."""
        ...

    def predict(self, encoding: Encoding) -> GraphOutput:
        """Probabilities and distance of one paper."""
        ...
