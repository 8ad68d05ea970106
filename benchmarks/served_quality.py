"""Classifies a labelled file over HTTP and prints the figures beside those of the model card.

    python -m benchmarks.served_quality http://127.0.0.1:8000 papers.csv

They must be equal, since the card's figures were measured on the file that answers.
"""

import argparse
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from model_store.papers import Paper
from training.data.corpus import read_papers
from training.evaluation.metrics import micro_f1

_BATCH = 32


def main() -> None:
    """Send every paper, compare, exit 1 if a figure differs."""
    options = _parser().parse_args()
    with httpx.Client(base_url=options.url, timeout=120) as client:
        card = client.get("/model").raise_for_status().json()
        labels, papers = read_papers(options.papers)
        results = _classify(client, papers.papers)
    served = _figures(papers.targets, results, labels)
    recorded = {key: card["quality"][key] for key in served}
    print(f"{'':24} {'over HTTP':>12} {'in the card':>12}")
    for key, value in served.items():
        print(f"{key:24} {value:12.6f} {recorded[key]:12.6f}")
    if any(abs(value - recorded[key]) > 1e-6 for key, value in served.items()):
        raise SystemExit("the figures differ")


def _classify(client: httpx.Client, papers: list[Paper]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for start in tqdm(range(0, len(papers), _BATCH), unit="batch"):
        batch = [{"title": paper.title, "abstract": paper.abstract} for paper in papers[start : start + _BATCH]]
        results += client.post("/classify/batch", json={"papers": batch}).raise_for_status().json()["results"]
    return results


def _figures(targets: NDArray[np.float32], results: list[dict[str, Any]], labels: tuple[str, ...]) -> dict[str, float]:
    scores = np.array([[result["probabilities"][label] for label in labels] for result in results])
    decisions = np.array([[label in result["labels"] for label in labels] for result in results])
    return {
        "micro_f1": micro_f1(targets > 0, decisions),
        "mean_average_precision": float(average_precision_score(targets, scores, average="macro")),
        "subset_accuracy": float((decisions == (targets > 0)).all(axis=1).mean()),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="where the service listens")
    parser.add_argument("papers", type=Path, help="the validation file of the model's training, Kaggle layout")
    return parser


if __name__ == "__main__":
    main()
