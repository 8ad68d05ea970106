"""Which sentences speak for and against a label: each is left out once, and the paper scored anew.

Knows the engine and papers; knows no HTTP. One explanation is worked on at a time, and it asks the
engine for one paper after the other: to everybody else it is a single small request, whatever its length.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.explain.pieces import Piece, pieces, without
from app.inference.admission import Place
from app.inference.engine import Answer, Engine, Verdict
from app.inference.errors import QueueFull
from app.inference.reload import Classifier
from model_store.errors import PaperError
from model_store.labels import log_odds
from model_store.papers import Paper

Weights = NDArray[np.float64]


class Explanation(NamedTuple):
    """A classification, the pieces of its paper, and what each weighs.

    Weights have the shape (labels,): by how much the log-odds of each label fall when the piece is
    left out. None where no text is left without the piece.
    """

    answer: Answer
    evidence: list[tuple[Piece, Weights | None]]


class Explainer:
    """Explains one paper at a time; a few more may wait."""

    def __init__(self, engine: Engine, most_sentences: int, most_waiting: int) -> None:
        self._engine = engine
        self._most_sentences = most_sentences
        self._most_waiting = most_waiting
        self._inside = 0
        self._turn = asyncio.Lock()
        self._latest_s = 1.0

    async def explain(self, paper: Paper, deadline: float, place: Place | None = None) -> Explanation:
        """Classify and explain; `deadline` is a time.monotonic(); `place` is the one that was kept, if any.

        Raises QueueFull if too many wait already, and whatever the engine raises.
        """
        async with self._place():
            began = time.monotonic()
            # Read before anything is awaited: `classify` takes the same one, even if a reload comes in between.
            classifier = self._engine.current
            answer = await self._engine.classify([paper], deadline, place)
            (outcome,) = answer.outcomes
            if not isinstance(outcome, Verdict):
                return Explanation(answer, [])
            full = log_odds(outcome.scored.measured.scores)
            parts = pieces(paper, self._most_sentences)
            evidence = [(piece, await self._weights(classifier, full, without(paper, piece))) for piece in parts]
            self._latest_s = time.monotonic() - began
        return Explanation(answer, evidence)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._inside > self._most_waiting:
            seconds = math.ceil(self._inside * self._latest_s)
            raise QueueFull(f"Other papers are being explained; come back in {seconds} s.", retry_after_s=seconds)
        self._inside += 1
        try:
            async with self._turn:
                yield
        finally:
            self._inside -= 1

    async def _weights(self, classifier: Classifier, full: Weights, rest: Paper) -> Weights | None:
        try:
            scores = await self._engine.score(classifier, rest)
        except PaperError:
            return None
        return np.asarray(full - log_odds(scores))
