"""`python -m benchmarks.peers.servers.litserve_server FOLDER PORT`"""

import sys
from typing import Any

import litserve

from benchmarks.peers.servers.classifier import TorchClassifier


class PapersApi(litserve.LitAPI):  # type: ignore[misc]
    """LitServe's four steps; `setup` runs in each worker."""

    def __init__(self, folder: str) -> None:
        super().__init__(api_path="/classify")
        self._folder = folder

    def setup(self, device: str) -> None:
        self._classifier = TorchClassifier(self._folder)

    def predict(self, request: dict[str, Any]) -> dict[str, dict[str, float]]:
        return {"probabilities": self._classifier.classify(request["title"], request.get("abstract", ""))}


if __name__ == "__main__":
    server = litserve.LitServer(PapersApi(sys.argv[1]), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
