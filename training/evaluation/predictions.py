"""Predictions of an artefact for labelled papers, computed exactly as the service computes them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.classifier import Classifier, Result
from model_store.errors import PaperError
from training.data.papers import LabelledPaper
from training.errors import DataError


@dataclass(frozen=True)
class Predictions:
    """True labels and predictions; two-dimensional arrays have shape (papers, labels), the others (papers,)."""

    truth: NDArray[np.bool_]
    scores: NDArray[np.float32]
    decisions: NDArray[np.bool_]
    statuses: NDArray[np.str_]
    tokens: NDArray[np.int64]
    """Word pieces of the text, including those that the model does not read."""
    truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Papers with at least one wrong label, shape (papers,)."""
        return np.asarray((self.truth != self.decisions).any(axis=1))


def predict(classifier: Classifier, papers: Sequence[LabelledPaper], threads: int) -> Predictions:
    """Score every paper by itself, `threads` of them at once, with a progress bar.

    Raises DataError with the row of a paper that has no text.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = pool.map(lambda paper: _predict(classifier, paper), papers)
        manifest = classifier.manifest
        results = list(
            tqdm(running, desc=f"{manifest.name} {manifest.version}", total=len(papers), unit="paper", mininterval=1)
        )
    names = [label.name for label in manifest.labels]
    return Predictions(
        truth=np.array([[name in paper.labels for name in names] for paper in papers]),
        scores=np.stack([result.output.scores for result in results]),
        decisions=np.array([[i in result.decision.labels for i in range(len(names))] for result in results]),
        statuses=np.array([result.decision.status for result in results]),
        tokens=np.array([result.encoding.tokens for result in results]),
        truncated=np.array([result.encoding.truncated for result in results]),
    )


def _predict(classifier: Classifier, labelled: LabelledPaper) -> Result:
    try:
        return classifier.classify(labelled.paper)
    except PaperError as error:
        raise DataError(f"row {labelled.row}: {error}") from None
