"""Chooses early exits: the layers, and the margins that scores must have there.

A paper exits at the first head whose scores are all at least a margin away from their thresholds, in log-odds. This is
the confidence of BranchyNet (Teerapittayanon et al. 2016) and DeeBERT (Xin et al. 2020), for several labels at once.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_store.labels import assigned, closeness
from training.config import ExitsConfig
from training.data.folds import folds

Scores = NDArray[np.floating]
# Margins that are tried for an exit: those at which these fractions of all papers would exit there.
_SHARES = np.linspace(0.1, 0.95, 35)
# Limits that are tried, from the allowed loss to as large a gain.
_LIMITS = 9


class Decisions(NamedTuple):
    """What each head decides about the same papers; the last head is that of the whole network."""

    confidence: NDArray[np.float64]
    """Distance of the score that is nearest to its threshold, in log-odds, (heads, papers)."""
    right: NDArray[np.int64]
    """Labels that are rightly assigned, (heads, papers)."""
    total: NDArray[np.int64]
    """Labels assigned and labels that are true, together, (heads, papers)."""

    def of(self, papers: NDArray[np.intp]) -> "Decisions":
        """The same about some of the papers."""
        return Decisions(self.confidence[:, papers], self.right[:, papers], self.total[:, papers])


class ExitRule(NamedTuple):
    """The exits of an artefact; `heads` are their positions among the exits that were trained."""

    heads: tuple[int, ...]
    margins: tuple[float, ...]
    """In the order of `heads`; infinite where no paper exits."""

    def exit_heads(self, confidence: NDArray[np.float64]) -> NDArray[np.intp]:
        """The head whose scores count, (papers,), from confidences (heads, papers)."""
        last = len(confidence) - 1
        found = np.full(confidence.shape[1], last, dtype=np.intp)
        for head, margin in zip(reversed(self.heads), reversed(self.margins), strict=True):
            found[confidence[head] >= margin] = head
        return found


class ExitFigures(NamedTuple):
    """Figures of a rule on papers that its margins were not chosen on."""

    shares: tuple[float, ...]
    """Of the papers, by exit."""
    layers: float
    """Encoder layers that a paper passes on average."""
    micro_f1_loss: float
    """Compared with passing all papers through all layers."""
    exit_heads: NDArray[np.intp]
    """The head at which each paper exits, (papers,)."""


class ExitSearch(NamedTuple):
    """What the choice of a rule depends on."""

    decisions: Decisions
    layers: tuple[int, ...]
    """After which each head stands; the last is the number of layers."""
    config: ExitsConfig
    seed: int


def decisions(heads: Sequence[Scores], targets: NDArray[np.float32], thresholds: ArrayLike) -> Decisions:
    """What heads decide by their calibrated scores (papers, labels); thresholds (labels,) or (papers, labels)."""
    truth = targets > 0
    given = [assigned(scores, thresholds) for scores in heads]
    return Decisions(
        np.stack([closeness(scores, thresholds) for scores in heads]),
        np.stack([(decided & truth).sum(axis=1) for decided in given]),
        np.stack([decided.sum(axis=1) + truth.sum(axis=1) for decided in given]),
    )


def choose_exits(search: ExitSearch, heads: tuple[int, ...] | None = None) -> tuple[ExitRule, ExitFigures] | None:
    """The rule with the fewest layers within the allowed loss; None if there is no such rule.

    With `heads` given, only margins are chosen. Margins lose more on papers that they were not chosen on, so a rule is
    accepted only if its loss in 5-fold cross-validation is within the limit; otherwise margins are chosen again with a
    stricter limit, which may ask for a gain.
    """
    allowed, papers = search.config.micro_f1_loss, np.arange(search.decisions.right.shape[1])
    sets = _sets_of_heads(search) if heads is None else [heads]
    for stricter in np.linspace(allowed, -allowed, _LIMITS).tolist():
        rule = _best_rule(search, papers, stricter, sets)
        if rule is not None:
            figures = _cross_fitted(search, rule, stricter)
            if figures.micro_f1_loss <= allowed:
                return rule, figures
    return None


def _sets_of_heads(search: ExitSearch) -> list[tuple[int, ...]]:
    exits = range(len(search.layers) - 1)
    return [heads for count in range(1, search.config.heads + 1) for heads in combinations(exits, count)]


def _best_rule(
    search: ExitSearch, papers: NDArray[np.intp], allowed: float, sets: Sequence[tuple[int, ...]]
) -> ExitRule | None:
    decided = search.decisions.of(papers)
    best, fewest = None, float(search.layers[-1])
    for rule in _rules(decided, sets):
        at = rule.exit_heads(decided.confidence)
        layers = float(np.asarray(search.layers)[at].mean())
        if layers < fewest and _loss(decided, at) <= allowed:
            best, fewest = rule, layers
    return best


def _rules(decided: Decisions, sets: Sequence[tuple[int, ...]]) -> Iterator[ExitRule]:
    margins = np.quantile(decided.confidence, 1 - _SHARES, axis=1)
    for heads in sets:
        for chosen in product(range(len(_SHARES)), repeat=len(heads)):
            yield ExitRule(heads, tuple(float(margins[i, head]) for i, head in zip(chosen, heads, strict=True)))


def _loss(decided: Decisions, at: NDArray[np.intp]) -> float:
    """Micro-F1 of the last head less that of the heads in `at`."""
    return _micro_f1(decided, np.full_like(at, len(decided.right) - 1)) - _micro_f1(decided, at)


def _micro_f1(decided: Decisions, at: NDArray[np.intp]) -> float:
    papers = np.arange(len(at))
    total = int(decided.total[at, papers].sum())
    return 2 * int(decided.right[at, papers].sum()) / total if total else 0.0


def _cross_fitted(search: ExitSearch, rule: ExitRule, allowed: float) -> ExitFigures:
    """Figures of the rule's exits, each fifth of the papers by margins that were chosen on the others."""
    papers = search.decisions.right.shape[1]
    at = np.full(papers, len(search.layers) - 1, dtype=np.intp)
    for others, fold in folds(papers, search.seed):
        chosen = _best_rule(search, others, allowed, [rule.heads])
        if chosen is not None:
            at[fold] = chosen.exit_heads(search.decisions.confidence[:, fold])
    return ExitFigures(
        shares=tuple(float((at == head).mean()) for head in rule.heads),
        layers=float(np.asarray(search.layers)[at].mean()),
        micro_f1_loss=_loss(search.decisions, at),
        exit_heads=at,
    )
