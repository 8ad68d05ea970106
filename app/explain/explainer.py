"""Which sentences support or contradict a label: the paper is scored again without each of them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.explain.sentences import Passage, passages, without
from app.inference.engine import Answer, Engine, Prediction, Scores
from app.inference.errors import InferenceError, QueueFull, RequestTooLarge
from app.inference.observer import Scored
from model_store.errors import PaperError
from model_store.labels import log_odds
from model_store.papers import Paper

Weights = NDArray[np.float64]


class Explanation(NamedTuple):
    """A classification, the passages of its paper, and the weight of each.

    Weights have the shape (labels,): by how much the log-odds of each label fall when the passage is
    left out. None where no text is left without the passage.
    """

    answer: Answer
    evidence: list[tuple[Passage, Weights | None]]


class Explainer:
    """Explains one paper at a time; a few more may wait.

    To the engine an explanation is one request with as many papers as passages. Several at a time would
    fill its queue and leave no room for papers to classify.
    """

    def __init__(self, engine: Engine, max_sentences: int, max_waiting: int) -> None:
        self._engine = engine
        self._max_sentences = max_sentences
        self._max_waiting = max_waiting
        self._pending = 0
        self._lock = asyncio.Lock()
        self._latest_s = 1.0

    async def explain(self, paper: Paper, deadline: float) -> Explanation:
        """Classify and explain; `deadline` is that of `Engine.score`.

        Raises QueueFull if too many wait already, the errors of `Engine.score`, and the error of a single
        sentence that could not be scored.
        """
        async with self._exclusive_turn():
            began = time.monotonic()
            explanation = await self._explain(paper, deadline)
            self._latest_s = time.monotonic() - began
        return explanation

    async def _explain(self, paper: Paper, deadline: float) -> Explanation:
        if refusal := self._engine.refusal():
            raise refusal
        # In a thread: splitting a text of the greatest length takes a tenth of a second.
        parts = await asyncio.to_thread(passages, paper, self._max_sentences)
        papers = [paper, *(without(paper, part) for part in parts)]
        try:
            classifier, (full, *rest) = await self._engine.score(papers, deadline)
        except RequestTooLarge as error:
            detail = f"The paper is too long to explain: scoring it without each of its {len(parts)} passages is"
            raise RequestTooLarge(
                f"{detail} more work ({error.actual}) than the queue holds ({error.limit}); send a shorter one.",
                limit=error.limit,
                actual=error.actual,
            ) from None
        answer = self._engine.answer(Scores(classifier, [full]))
        if not isinstance(answer.outcomes[0], Prediction) or not isinstance(full, Scored):
            return Explanation(answer, [])
        whole = log_odds(full.output.scores)
        return Explanation(answer, [(part, _weights(whole, result)) for part, result in zip(parts, rest, strict=True)])

    @asynccontextmanager
    async def _exclusive_turn(self) -> AsyncIterator[None]:
        if self._pending > self._max_waiting:
            seconds = math.ceil(self._pending * self._latest_s)
            raise QueueFull(f"Other papers are being explained; try again in {seconds} s.", retry_after_s=seconds)
        self._pending += 1
        try:
            async with self._lock:
                yield
        finally:
            self._pending -= 1


def _weights(whole: Weights, result: Scored | PaperError | InferenceError) -> Weights | None:
    if isinstance(result, PaperError):
        return None
    if isinstance(result, InferenceError):
        raise result
    return np.asarray(whole - log_odds(result.output.scores))
