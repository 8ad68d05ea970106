"""The answers of an artefact for labelled papers, scored exactly as the service scores them."""

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
class Answers:
    """True labels and answers; two-dimensional arrays have shape (papers, labels), the others (papers,)."""

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


def ask(classifier: Classifier, papers: Sequence[LabelledPaper], threads: int) -> Answers:
    """Score every paper by itself, `threads` of them side by side, with a progress bar.

    Raises DataError with the row of a paper that has no text the tokenizer knows.
    """
    with ThreadPoolExecutor(threads) as pool:
        asked = pool.map(lambda paper: _ask(classifier, paper), papers)
        manifest = classifier.manifest
        answers = list(
            tqdm(asked, desc=f"{manifest.name} {manifest.version}", total=len(papers), unit="paper", mininterval=1)
        )
    names = [label.name for label in manifest.labels]
    return Answers(
        truth=np.array([[name in paper.labels for name in names] for paper in papers]),
        scores=np.stack([answer.output.scores for answer in answers]),
        decisions=np.array([[i in answer.decision.labels for i in range(len(names))] for answer in answers]),
        statuses=np.array([answer.decision.status for answer in answers]),
        tokens=np.array([answer.encoding.tokens for answer in answers]),
        truncated=np.array([answer.encoding.truncated for answer in answers]),
    )


def _ask(classifier: Classifier, labelled: LabelledPaper) -> Result:
    try:
        return classifier.classify(labelled.paper)
    except PaperError as error:
        raise DataError(f"row {labelled.row}: {error}") from None
