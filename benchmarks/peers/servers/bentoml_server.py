"""A BentoML service: `bentoml serve benchmarks.peers.servers.bentoml_server:Papers`, folder in MODEL_FOLDER."""

import os

import bentoml

from benchmarks.peers.servers.classifier import TorchClassifier


@bentoml.service(traffic={"timeout": 60})
class Papers:
    """One worker."""

    def __init__(self) -> None:
        self._classifier = TorchClassifier(os.environ["MODEL_FOLDER"])

    @bentoml.api
    def classify(self, title: str, abstract: str = "") -> dict[str, dict[str, float]]:
        """Score one paper."""
        return {"probabilities": self._classifier.classify(title, abstract)}
