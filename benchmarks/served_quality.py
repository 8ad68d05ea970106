"""Classifies a labelled file over HTTP and prints the figures beside those of the model card.

    python -m benchmarks.served_quality http://127.0.0.1:8000 validation.csv
    python -m benchmarks.served_quality http://127.0.0.1:8000 test.csv --figures test

They must be equal, since the card's figures were measured on the artefact that the service has loaded.
"""

import argparse
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.papers import Paper
from training.data.corpus import read_papers
from training.evaluation.metrics import mean_average_precision, micro_f1

_BATCH = 32
_MEMBERS = {"validation": "quality", "test": "test"}
"""The member of the model card by the papers it was measured on."""


def main() -> None:
    """Send every paper and compare the figures; the exit status is 1 if one differs or the card has none."""
    options = _parser().parse_args()
    with httpx.Client(base_url=options.url, timeout=120) as client:
        card = client.get("/model").raise_for_status().json()
        labels, papers = read_papers(options.papers)
        recorded = recorded_figures(card, options.figures, labels)
        served = _figures(papers.targets, _classify(client, papers.papers), labels)
    print(f"{'':24} {'over HTTP':>12} {'in the card':>12}")
    for key, value in served.items():
        print(f"{key:24} {value:12.6f} {recorded[key]:12.6f}")
    if any(abs(value - recorded[key]) > 1e-6 for key, value in served.items()):
        raise SystemExit("the figures differ")


def recorded_figures(card: dict[str, Any], measured_on: str, labels: tuple[str, ...]) -> dict[str, float]:
    """The card's figures; exits with a sentence if it has none, or if its labels are not those of the file."""
    artefact = f"{card['name']} {card['version']}"
    served = [label["name"] for label in card["labels"]]
    if set(labels) != set(served):
        raise SystemExit(f"the file has the labels {', '.join(labels)}; {artefact} has {', '.join(served)}")
    figures: dict[str, float] | None = card.get(_MEMBERS[measured_on])
    if figures is None:
        raise SystemExit(f"the card of {artefact} has no figures on {measured_on} papers to compare with")
    return figures


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
        "mean_average_precision": mean_average_precision(targets, scores),
        "subset_accuracy": float((decisions == (targets > 0)).all(axis=1).mean()),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="where the service listens")
    parser.add_argument("papers", type=Path, help="labelled papers: those that the card's figures were measured on")
    parser.add_argument(
        "--figures",
        choices=_MEMBERS,
        default="validation",
        help="the papers of the card's figures (default: validation)",
    )
    return parser


if __name__ == "__main__":
    main()
