"""Scope: a distance from the training papers, and how well it separates them from texts that are not papers."""

import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from model_store.manifest import Caught, Scope
from model_store.papers import Paper
from training.config import ScopeConfig
from training.data.folds import folds

# Words of the abstract that a training paper keeps, in turn; None keeps all. Without papers of every length the
# detector would take any short text for an unusual one.
_LENGTHS = (None, 0, None, 12, None, 25, None, 50)
# Inverse strength of the penalty on the outliers' direction; see training/LOG.md.
_REGULARIZATION = 1.0
# Of the largest one.
_LEAST_VARIANCE = 1e-6
# Kinds of scholarly texts of other fields, whose scope is a matter of opinion: they are reported separately.
_SCHOLARLY = ("near misses", "scholarly: ")


class Text(BaseModel):
    """A text that is not a paper of the corpus; the tuning half is for choices, the testing half for figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    half: Literal["tuning", "testing"]
    title: str = ""
    abstract: str = ""

    @property
    def paper(self) -> Paper:
        """The text as it would be submitted."""
        return Paper(self.title, self.abstract)


class Distances(NamedTuple):
    """Distances of some papers, with their abstracts and without; both of shape (papers,)."""

    whole: NDArray[np.float64]
    titles: NDArray[np.float64]


class States(NamedTuple):
    """What a detector reads of some texts."""

    features: NDArray[np.floating]
    """Mean hidden states of one layer, (texts, hidden)."""
    tokens: NDArray[np.integer]
    """Word pieces, special ones included, (texts,)."""


class OutlierHead(NamedTuple):
    """A linear function of scaled states, large for outliers, in the unit of the Mahalanobis distance."""

    direction: NDArray[np.float64]
    """Shape (hidden,)."""
    offset: float

    def __call__(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances, shape (texts,), from scaled states (texts, hidden)."""
        return np.asarray(scaled @ self.direction + self.offset)


class Detector(NamedTuple):
    """Measures how far a text is from training papers of its own length.

    This is the squared Mahalanobis distance of its mean hidden state (Lee et al. 2018, section 2.1, with one class), as
    a logarithm, minus the usual value at that length: means over few word pieces scatter more, so that every short
    paper would otherwise be far. A detector fitted with outliers takes the larger of this distance and that of its
    outlier head.
    """

    mean: NDArray[np.float64]
    whitening: NDArray[np.float64]
    """Shape (hidden, hidden): centred states times this have unit variance."""
    usual: tuple[float, float, float]
    """Level, slope and bend of a parabola in the logarithm of the number of word pieces, special ones included."""
    outliers: "OutlierHead | None" = None
    """Where outliers lie; none if no outliers were learned from."""

    def __call__(self, states: States) -> NDArray[np.float64]:
        """Distances, shape (texts,)."""
        distances = self._mahalanobis(states)
        return distances if self.outliers is None else np.maximum(distances, self.outliers(self._scaled(states)))

    def fitted_with_outliers(self, papers: States, outliers: States) -> "Detector":
        """This detector, also fitted with outliers (outlier exposure, Hendrycks et al. 2019).

        Other fields of research lie within the spread of the papers, so that a distance from the mean misses them.
        """
        head = _fit_head(self._scaled(papers), self._scaled(outliers), self._mahalanobis(papers))
        return self._replace(outliers=head)

    def _mahalanobis(self, states: States) -> NDArray[np.float64]:
        return np.asarray(_log_distance(self.mean, self.whitening, states.features) - self._usual(states))

    def _scaled(self, states: States) -> NDArray[np.float64]:
        """Whitened states over their usual norm at that length, which is larger for shorter texts."""
        white = (states.features - self.mean) @ self.whitening
        return np.asarray(white * np.exp(-self._usual(states) / 2)[:, None])

    def _usual(self, states: States) -> NDArray[np.float64]:
        return np.asarray(_powers(states.tokens) @ np.array(self.usual))


def _fit_head(
    papers: NDArray[np.float64], outliers: NDArray[np.float64], distances: NDArray[np.float64]
) -> OutlierHead:
    """Logistic regression of papers against outliers, in the unit of `distances` of the same papers.

    What is usual is seen on papers that the regression was not fitted on (5 folds). Papers that are close to other
    fields, such as deep learning on X-rays, are unusual for the regression: where the distance marks two papers in a
    hundred, the head marks two in a thousand.
    """
    scores = np.empty(len(papers))
    for others, fold in folds(len(papers), seed=0):
        scores[fold] = _regression(papers[others], outliers).decision_function(papers[fold])
    (middle, high), (usual, far) = np.quantile(scores, (0.5, 0.998)), np.quantile(distances, (0.5, 0.98))
    scale = (far - usual) / (high - middle)
    regression = _regression(papers, outliers)
    return OutlierHead(regression.coef_[0] * scale, float((regression.intercept_[0] - middle) * scale + usual))


def _regression(papers: NDArray[np.float64], outliers: NDArray[np.float64]) -> LogisticRegression:
    targets = np.repeat([0, 1], [len(papers), len(outliers)])
    regression = LogisticRegression(C=_REGULARIZATION, class_weight="balanced", max_iter=2000)
    return regression.fit(np.concatenate([papers, outliers]), targets)


def fit_detector(papers: States) -> Detector:
    """Fit a detector to training papers. No other text is needed.

    The usual value at a length comes from papers that mean and covariance were not fitted on (5 folds): distances of
    papers that were fitted on are too small, most of all for short ones.
    """
    distances = np.empty(len(papers.features))
    for others, fold in folds(len(distances), seed=0):
        distances[fold] = _log_distance(*_whiten(papers.features[others]), papers.features[fold])
    level, slope, bend = np.linalg.lstsq(_powers(papers.tokens), distances, rcond=None)[0]
    return Detector(*_whiten(papers.features), (float(level), float(slope), float(bend)))


def _whiten(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Shrunk (Ledoit and Wolf 2004): there may be fewer papers than dimensions.
    fitted = LedoitWolf().fit(np.asarray(features, dtype=np.float64))
    variances, axes = np.linalg.eigh(fitted.covariance_)
    # Directions of hardly any variance hold rounding errors alone; dividing by their deviation would magnify these.
    return fitted.location_, axes / np.sqrt(np.maximum(variances, _LEAST_VARIANCE * variances[-1]))


def _log_distance(
    mean: NDArray[np.float64], whitening: NDArray[np.float64], features: NDArray[np.floating]
) -> NDArray[np.float64]:
    return np.asarray(np.log((((features - mean) @ whitening) ** 2).sum(axis=1)))


def _powers(tokens: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.vander(np.log(tokens), 3, increasing=True)


def at_several_lengths(papers: Iterable[Paper]) -> list[Paper]:
    """Every second paper whole, of the others the title and at most some words of the abstract."""
    return [_cut(paper, _LENGTHS[i % len(_LENGTHS)]) for i, paper in enumerate(papers)]


def outliers(texts: Sequence[Text]) -> list[Paper]:
    """The texts that a detector may learn from: the tuning half, whole and at several lengths."""
    papers = [text.paper for text in texts if text.half == "tuning"]
    return list(dict.fromkeys([*papers, *at_several_lengths(papers)]))


def _cut(paper: Paper, words: int | None) -> Paper:
    if words is None or not paper.title.strip():
        return paper
    return Paper(paper.title, " ".join(paper.abstract.split()[:words]))


def read_texts() -> list[Text]:
    """The texts in `training/out_of_scope` that are not papers of the corpus; see the README there."""
    folder = resources.files("training") / "out_of_scope"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".jsonl")), key=lambda file: file.name)
    lines = (line for file in files for line in file.read_text(encoding="utf-8").splitlines())
    return [Text(**json.loads(line)) for line in lines]


def scope(
    papers: Distances, texts: Sequence[Text], distances: NDArray[np.float64], layer: int, config: ScopeConfig, seed: int
) -> Scope:
    """The rule and its figures; `papers` are distances of validation papers, `distances` those of `texts`."""
    false_alarms = config.false_alarms
    threshold, title_threshold = (float(np.quantile(found, 1 - false_alarms)) for found in papers)
    caught = [
        bool(distance > (threshold if text.abstract.strip() else title_threshold))
        for text, distance in zip(texts, distances, strict=True)
    ]
    tested: dict[str, list[bool]] = {}
    for text, found in zip(texts, caught, strict=True):
        if text.half == "testing":
            tested.setdefault(text.kind, []).append(found)
    near = [beyond for kind in [*tested] if kind.startswith(_SCHOLARLY) for beyond in tested.pop(kind)]
    return Scope(
        layer=layer,
        outliers=config.outliers,
        threshold=threshold,
        title_threshold=title_threshold,
        false_alarms=_held_out_alarms(papers.whole, false_alarms, seed),
        title_false_alarms=_held_out_alarms(papers.titles, false_alarms, seed),
        caught=_caught([found for kind in tested.values() for found in kind]),
        kinds={kind: _caught(found) for kind, found in tested.items()},
        near_misses=_caught(near) if near else None,
    )


def _caught(found: Sequence[bool]) -> Caught:
    return Caught(texts=len(found), caught=float(np.mean(found)))


def _held_out_alarms(distances: NDArray[np.float64], share: float, seed: int) -> float:
    """Share of papers beyond the threshold that is chosen on the other folds."""
    alarms = 0
    for others, fold in folds(len(distances), seed):
        alarms += int((distances[fold] > np.quantile(distances[others], 1 - share)).sum())
    return alarms / len(distances)
