"""Labels, their thresholds, and the decision that follows from a paper's scores."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

Status = Literal["ok", "uncertain", "out_of_scope"]

_LONGEST_ID = 100

# Scores of exactly 0 or 1 have no log-odds; float32 sigmoids do reach them.
_EPSILON = 1e-7


class Label(BaseModel):
    """A subject.

    `id` is for programs and never changes, `name` is the key in responses. If the name is a code
    such as "cs.LG", `title` is the readable name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=200)
    name: str = Field(min_length=1, max_length=1000)
    title: str | None = Field(default=None, min_length=1, max_length=1000, description="absent: the name is readable")
    parent: str | None = Field(
        default=None, min_length=1, max_length=1000, description="what the label belongs to, for example an archive"
    )
    uri: str | None = Field(
        default=None, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"]+$", max_length=2000, description="in a vocabulary"
    )
    threshold: float = Field(gt=0, lt=1, description="the label is assigned at or above this probability")
    title_threshold: float | None = Field(
        default=None, gt=0, lt=1, description="the same where there is no abstract; absent: as `threshold`"
    )
    few_papers: bool = Field(
        default=False, description="threshold and calibration rest on few papers and are drawn towards a common value"
    )

    def threshold_for(self, *, title_only: bool) -> float:
        """The threshold that applies to a paper with or without an abstract."""
        return self.title_threshold if title_only and self.title_threshold is not None else self.threshold


class UncertainRule(BaseModel):
    """When a person should check a paper.

    A paper is uncertain if no label meets its threshold, or if the log-odds of some score and its
    threshold are closer together than `margin`. The other three fields are what the rule gave on
    the validation papers; they are absent if there were none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: float = Field(ge=0, description="distance in log-odds")
    share: float | None = Field(default=None, ge=0, le=1, description="share of validation papers marked uncertain")
    error_rate_uncertain: float | None = Field(
        default=None, ge=0, le=1, description="share of those with at least one wrong label"
    )
    error_rate_ok: float | None = Field(default=None, ge=0, le=1, description="the same among the papers not marked")


class GraphOutput(NamedTuple):
    """What the graph computes for one paper."""

    scores: NDArray[np.float32]
    """Probabilities, shape (labels,)."""
    distance: float | None = None
    """How far the text is from those of the training papers; None from a graph that does not measure it."""
    layer: int | None = None
    """The layer at which the paper exited; None for a network without early exits."""


class Decision(NamedTuple):
    """Indices of the assigned labels, most probable first, and whether a person should check them."""

    labels: tuple[int, ...]
    status: Status


def label_ids(names: Sequence[str]) -> list[str]:
    """Unique ids for labels of these names, in order: those that would be equal are numbered (c, c-2, c-3)."""
    ids: dict[str, None] = {}
    for name in names:
        first = slug(name)
        numbered = (f"{first}-{number}" for number in itertools.count(2))
        ids[next(id_ for id_ in itertools.chain([first], numbered) if id_ not in ids)] = None
    return list(ids)


def slug(name: str) -> str:
    """A label's id from its name: "Quantitative Biology" → "quantitative-biology", "Física" → "fisica".

    Letters of other alphabets are written by their Unicode names (β → "beta", Ж → "zhe"), those
    that have none, such as Chinese characters, by their code points.
    """
    letters = "".join(_transliterated(letter) for letter in unicodedata.normalize("NFKD", name).casefold())
    return "-".join(re.findall(r"[a-z0-9]+", letters))[:_LONGEST_ID].strip("-") or "label"


def _transliterated(character: str) -> str:
    if character.isascii():
        return character
    if not character.isalnum():
        # A combining mark belongs to its letter, anything else separates words.
        return "" if unicodedata.combining(character) else " "
    words = re.split(r"[ -]", unicodedata.name(character, "").lower())
    if "letter" not in words and "syllable" not in words:
        return f"u{ord(character):x}"
    # The soft sign and similar letters have no sound of their own.
    return "" if words[-1] == "sign" else words[-1]


def log_odds(scores: ArrayLike) -> NDArray[np.float64]:
    """Element-wise logarithm of p / (1 - p), finite also at 0 and 1."""
    p = np.clip(np.asarray(scores, dtype=np.float64), _EPSILON, 1 - _EPSILON)
    return np.asarray(np.log(p) - np.log1p(-p))


def closeness(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """The least distance of a score from its threshold, in log-odds; shape (papers,) from (papers, labels)."""
    distance = np.abs(log_odds(scores) - log_odds(thresholds))
    return np.asarray(distance.min(axis=-1))


def assigned(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.bool_]:
    """Which labels meet their own threshold; shape (papers, labels) or (labels,)."""
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

    A text out of scope is given labels as well, since some of them are false positives; the status
    says that the labels are not reliable. A withdrawn paper is never "ok", because its text is a
    notice or not reliable.
    """
    thresholds = [label.threshold_for(title_only=title_only) for label in labels]
    met = np.flatnonzero(assigned(scores, thresholds))
    ranked = tuple(int(i) for i in sorted(met, key=lambda i: -scores[i]))
    if out_of_scope:
        return Decision(ranked, "out_of_scope")
    unclear = withdrawn or not ranked or bool(closeness(scores, thresholds) < rule.margin)
    return Decision(ranked, "uncertain" if unclear else "ok")
