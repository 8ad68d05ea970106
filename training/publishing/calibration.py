"""Probabilities that mean what they say: a line in log-odds per label, and how far off the result still is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from model_store.labels import log_odds
from model_store.manifest import Calibration, CalibrationError, Line
from training.config import METHODS, Method
from training.data.folds import folds

Scores = NDArray[np.floating]
Targets = NDArray[np.floating]
Fit = Callable[[Targets, Scores], Callable[[Scores], Scores]]

_BINS = 15
# Draws of targets from the probabilities themselves.
_DRAWS = 20


@dataclass(frozen=True)
class Lines:
    """Calibrated log-odds = slope x log-odds + intercept; both have shape (labels,)."""

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def __call__(self, scores: Scores) -> Scores:
        """Calibrated probabilities, shape (papers, labels) as given."""
        odds = self.slopes * log_odds(scores) + self.intercepts
        # The logistic function, in the form that cannot overflow.
        return np.asarray((1 + np.tanh(odds / 2)) / 2)


def fit_lines(targets: Targets, scores: Scores, method: Method) -> Lines:
    """One line per label; both arguments have shape (papers, labels).

    Platt 1999 fits slope and intercept; a temperature (Guo et al. 2017) is the slope alone. Platt's
    softened targets (his section 2.2) keep the line finite where a label is told without any error.
    """
    labels = targets.shape[1]
    if method == "none":
        return Lines(np.ones(labels), np.zeros(labels))
    fitted = [_line(targets[:, i] > 0, log_odds(scores[:, i]), with_intercept=method == "platt") for i in range(labels)]
    slopes, intercepts = np.array(fitted).T
    return Lines(slopes, intercepts)


def _line(truth: NDArray[np.bool_], odds: NDArray[np.float64], *, with_intercept: bool) -> tuple[float, float]:
    positives, negatives = int(truth.sum()), int((~truth).sum())
    soft = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # Every paper counts as both: as a positive by its soft target, as a negative by the rest of it.
    model = LogisticRegression(C=1e6, fit_intercept=with_intercept, max_iter=1000)
    model.fit(np.tile(odds, 2)[:, None], np.repeat([1, 0], len(odds)), sample_weight=np.concatenate([soft, 1 - soft]))
    return float(model.coef_[0, 0]), float(np.ravel(model.intercept_)[0]) if with_intercept else 0.0


def fit_isotonic(targets: Targets, scores: Scores) -> Callable[[Scores], Scores]:
    """Isotonic regression per label: measured for comparison, not served."""
    steps = [IsotonicRegression(out_of_bounds="clip").fit(scores[:, i], targets[:, i]) for i in range(scores.shape[1])]
    return lambda given: np.stack([step.predict(given[:, i]) for i, step in enumerate(steps)], axis=1)


def held_out(targets: Targets, scores: Scores, fit: Fit, seed: int) -> Scores:
    """What `fit` makes of each paper when it was fitted on the other folds; shape as `scores`."""
    found = np.empty(scores.shape, dtype=np.float64)
    for others, fold in folds(len(scores), seed):
        found[fold] = fit(targets[others], scores[others])(scores[fold])
    return found


def calibration_errors(targets: Targets, scores: Scores, *, equal_mass: bool = False) -> NDArray[np.float64]:
    """Expected calibration error per label, shape (labels,)."""
    columns = range(scores.shape[1])
    return np.array([calibration_error(targets[:, i] > 0, scores[:, i], equal_mass=equal_mass) for i in columns])


def calibration_error(truth: NDArray[np.bool_], scores: Scores, *, equal_mass: bool = False) -> float:
    """Expected calibration error of one label; both arguments have shape (papers,).

    In each bin the share of papers that carry the label is held against the mean probability. Bins
    are fifteen of equal width (Naeini et al. 2015), or of equally many papers, where the many scores
    near zero do not drown the rest (Nixon et al. 2019).
    """
    steps = np.linspace(0, 1, _BINS + 1)[1:-1]
    bins = np.digitize(scores, np.quantile(scores, steps) if equal_mass else steps)
    gaps = np.bincount(bins, weights=truth - scores, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(scores))


def mean_error(targets: Targets, scores: Scores) -> CalibrationError:
    """Both errors, averaged over labels."""
    return CalibrationError(
        equal_width=float(calibration_errors(targets, scores).mean()),
        equal_mass=float(calibration_errors(targets, scores, equal_mass=True).mean()),
    )


def held_out_by_method(targets: Targets, scores: Scores, seed: int) -> dict[str, Scores]:
    """What every method makes of papers it was not fitted on, isotonic regression among them."""
    fits: dict[str, Fit] = {name: _fit(name) for name in METHODS} | {"isotonic": fit_isotonic}
    return {name: held_out(targets, scores, fit, seed) for name, fit in fits.items()}


def calibration(
    targets: Targets, predicted: Mapping[str, Scores], labels: Sequence[str], method: Method, lines: Lines, seed: int
) -> Calibration:
    """What the manifest says: the lines in the graph, and errors of `held_out_by_method` side by side."""
    return Calibration(
        method=method,
        lines={
            label: Line(slope=float(slope), intercept=float(intercept))
            for label, slope, intercept in zip(labels, lines.slopes, lines.intercepts, strict=True)
        },
        compared={name: mean_error(targets, found) for name, found in predicted.items()},
        chance=_chance(predicted[method], seed),
    )


def _fit(method: Method) -> Fit:
    return lambda targets, scores: fit_lines(targets, scores, method)


def _chance(scores: Scores, seed: int) -> CalibrationError:
    """The error that remains when targets are drawn from the probabilities themselves: none could do better."""
    rng = np.random.default_rng(seed)
    drawn = [mean_error((rng.random(scores.shape) < scores).astype(np.float32), scores) for _ in range(_DRAWS)]
    return CalibrationError(
        equal_width=float(np.mean([error.equal_width for error in drawn])),
        equal_mass=float(np.mean([error.equal_mass for error in drawn])),
    )
