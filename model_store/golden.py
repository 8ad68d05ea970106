"""Golden papers: papers with recorded scores, which are compared whenever an artefact is loaded."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from model_store.errors import GoldenMismatch
from model_store.papers import Paper


class Scorer(Protocol):
    """Scores papers."""

    def scores(self, papers: list[Paper]) -> NDArray[np.float32]:
        """Probabilities, shape (papers, labels)."""
        ...


class GoldenPaper(BaseModel):
    """A paper and the scores that the published graph gave it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    abstract: str = ""
    scores: tuple[float, ...]

    @property
    def paper(self) -> Paper:
        return Paper(self.title, self.abstract)


class Golden(BaseModel):
    """The scores that an artefact must reproduce on every machine, within `tolerance`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # With an unlimited tolerance the check would prove nothing.
    tolerance: float = Field(gt=0, le=0.1, description="largest allowed absolute difference of a score")
    papers: tuple[GoldenPaper, ...] = Field(min_length=1)

    def replay(self, scorer: Scorer) -> float:
        """Score all golden papers and return the largest difference found.

        Raises GoldenMismatch if a score differs by more than the tolerance. Reasons are a wrong
        tokenizer, another order of the labels, or a processor whose int8 arithmetic saturates.
        """
        expected = np.array([golden.scores for golden in self.papers], dtype=np.float64)
        actual = scorer.scores([golden.paper for golden in self.papers])
        if actual.shape != expected.shape:
            raise GoldenMismatch(f"golden papers got scores of shape {actual.shape}, recorded is {expected.shape}")
        difference = np.abs(actual - expected).max(axis=1)
        worst = int(difference.argmax())
        if not difference[worst] <= self.tolerance:
            raise GoldenMismatch(
                f"golden paper {worst} is off by {difference[worst]:.4f}, allowed is {self.tolerance}: "
                "this machine computes other scores than the artefact was published with"
            )
        return float(difference[worst])
