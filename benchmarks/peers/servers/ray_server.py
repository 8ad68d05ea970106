"""`python -m benchmarks.peers.servers.ray_server FOLDER PORT`"""

import signal
import sys

import ray
from fastapi import FastAPI
from ray import serve

from benchmarks.peers.servers.classifier import TorchClassifier
from benchmarks.peers.servers.fastapi_server import PaperIn

app = FastAPI()


@serve.deployment(ray_actor_options={"num_cpus": 1})
@serve.ingress(app)
class Papers:
    """One replica."""

    def __init__(self, folder: str) -> None:
        self._classifier = TorchClassifier(folder)

    @app.post("/classify")
    def classify(self, paper: PaperIn) -> dict[str, dict[str, float]]:
        """Score one paper."""
        return {"probabilities": self._classifier.classify(paper.title, paper.abstract)}


def main(folder: str, port: str) -> None:
    """Serve until a signal ends the process."""
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    serve.run(Papers.bind(folder), route_prefix="/")  # type: ignore[attr-defined]
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
