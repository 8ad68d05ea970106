"""`python -m benchmarks.peers.servers.fastapi_server FOLDER PORT fp32|int8`"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.servers.classifier import TorchClassifier


class PaperIn(BaseModel):
    """A paper."""

    title: str
    abstract: str = ""


def main(folder: str, port: str, precision: str) -> None:
    """Serve until a signal ends the process."""
    classifier = TorchClassifier(folder, int8=precision == "int8")
    app = FastAPI()

    @app.post("/classify")
    def classify(paper: PaperIn) -> dict[str, dict[str, float]]:
        return {"probabilities": classifier.classify(paper.title, paper.abstract)}

    uvicorn.run(app, port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
