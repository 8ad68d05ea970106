"""Labels, their thresholds, and the decision that follows from what the graph measured."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

Status = Literal["ok", "uncertain", "out_of_scope"]

# Scores of exactly 0 or 1 have no log-odds; float32 sigmoids do reach them.
_EPSILON = 1e-7


class Label(BaseModel):
    """A subject: `id` is for programs and never changes, `name` is for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str = Field(min_length=1, max_length=200)
    threshold: float = Field(gt=0, lt=1, description="the label is assigned at or above this probability")
    title_threshold: float | None = Field(
        default=None, gt=0, lt=1, description="the same where there is no abstract; absent: as `threshold`"
    )

    def threshold_for(self, *, title_only: bool) -> float:
        """The threshold that counts for a paper with or without an abstract."""
        return self.title_threshold if title_only and self.title_threshold is not None else self.threshold


class UncertainRule(BaseModel):
    """When a person should look.

    A paper is uncertain if no label reached its threshold, or if for some label the log-odds of
    score and threshold lie closer together than `margin`. The other three say what the rule
    meant on the validation papers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: float = Field(ge=0, description="distance in log-odds")
    share: float = Field(ge=0, le=1, description="share of validation papers marked uncertain")
    error_rate_uncertain: float = Field(ge=0, le=1, description="share of those with at least one wrong label")
    error_rate_ok: float = Field(ge=0, le=1, description="the same among the papers not marked")


class Measured(NamedTuple):
    """What the graph says of one paper."""

    scores: NDArray[np.float32]
    """Probabilities, shape (labels,)."""
    distance: float | None = None
    """How unlike the training papers it reads; None from a graph that does not measure it."""


class Decision(NamedTuple):
    """Indices of the assigned labels, most probable first, and whether a person should look."""

    labels: tuple[int, ...]
    status: Status


def slug(name: str) -> str:
    """A label's id from its name: "Quantitative Biology" → "quantitative-biology"."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower())) or "label"


def log_odds(scores: ArrayLike) -> NDArray[np.float64]:
    """Element-wise logarithm of p / (1 - p), finite also at 0 and 1."""
    p = np.clip(np.asarray(scores, dtype=np.float64), _EPSILON, 1 - _EPSILON)
    return np.asarray(np.log(p) - np.log1p(-p))


def closeness(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """How close the closest call of each paper is, in log-odds; shape (papers,) from (papers, labels)."""
    distance = np.abs(log_odds(scores) - log_odds(thresholds))
    return np.asarray(distance.min(axis=-1))


def assigned(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.bool_]:
    """Which labels reach their own threshold; shape (papers, labels) or (labels,)."""
    return np.asarray(np.asarray(scores, dtype=np.float64) >= np.asarray(thresholds, dtype=np.float64))


def decide(
    scores: NDArray[np.floating],
    labels: Sequence[Label],
    rule: UncertainRule,
    *,
    title_only: bool = False,
    out_of_scope: bool = False,
    withdrawn: bool = False,
) -> Decision:
    """The decision for one paper from its scores, shape (labels,).

    Labels are assigned to a text out of scope too: one in fifty of those is a false alarm, and
    its reader should find what the others get. The status says that they are not to be trusted.
    A withdrawn paper is never "ok": its text is a notice, or is not to be relied on.
    """
    thresholds = [label.threshold_for(title_only=title_only) for label in labels]
    reached = np.flatnonzero(assigned(scores, thresholds))
    ranked = tuple(int(i) for i in sorted(reached, key=lambda i: -scores[i]))
    if out_of_scope:
        return Decision(ranked, "out_of_scope")
    unclear = withdrawn or not ranked or bool(closeness(scores, thresholds) < rule.margin)
    return Decision(ranked, "uncertain" if unclear else "ok")
