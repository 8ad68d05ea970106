"""Calibration: a linear function in log-odds per label, and the error of the resulting probabilities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

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
# Strength of the prior, the line of all labels together, in positive papers.
_PRIOR_POSITIVES = 10
_NEWTON_STEPS, _LONGEST_STEP, _RIDGE = 100, 1.0, 1e-6


@dataclass(frozen=True)
class Lines:
    """Calibrated log-odds = slope x log-odds + intercept; both have shape (labels,)."""

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def __call__(self, scores: Scores) -> Scores:
        """Calibrated probabilities, shape (papers, labels) as given."""
        return logistic(self.slopes * log_odds(scores) + self.intercepts)


def logistic(odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of log-odds, element-wise, in the form that cannot overflow; the inverse of `log_odds`."""
    return np.asarray((1 + np.tanh(odds / 2)) / 2)


def fit_lines(targets: Targets, scores: Scores, method: Method) -> Lines:
    """One line per label; both arguments have shape (papers, labels).

    Platt 1999 fits slope and intercept; a temperature (Guo et al. 2017) is the slope alone. The line of a rare label
    is shrunk towards that of all labels together, by a prior that is worth `_PRIOR_POSITIVES` positive papers.
    """
    labels = targets.shape[1]
    if method == "none":
        return Lines(np.ones(labels), np.zeros(labels))
    free = np.array([True, method == "platt"])
    odds, soft = log_odds(scores), _soft(targets)
    pooled, information = _fit_line(odds.ravel(), soft.ravel(), free, np.array([1.0, 0.0]), np.zeros((2, 2)))
    # Fisher information is proportional to the number of papers, so this scales it to so few papers.
    information *= min(1.0, _PRIOR_POSITIVES / max(1.0, float((targets > 0).sum())))
    fitted = [_fit_line(odds[:, i], soft[:, i], free, pooled, information)[0] for i in range(labels)]
    slopes, intercepts = np.array(fitted).T
    return Lines(slopes, intercepts)


def _soft(targets: Targets) -> NDArray[np.float64]:
    """Platt's softened targets (his section 2.2), which keep a line finite where a label has no errors."""
    positives = (targets > 0).sum(axis=0)
    return np.asarray(np.where(targets > 0, (positives + 1) / (positives + 2), 1 / (len(targets) - positives + 2)))


def _fit_line(
    odds: NDArray[np.float64],
    targets: NDArray[np.float64],
    free: NDArray[np.bool_],
    start: NDArray[np.float64],
    information: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and intercept by Newton's method, and the Fisher information of the data (2, 2).

    A Gaussian prior has its mean at `start` and `information` as its precision. Only parameters that are `free` move.
    """
    design = np.stack([odds, np.ones_like(odds)], axis=1)
    line, both = start.copy(), np.ix_(free, free)
    for _ in range(_NEWTON_STEPS):
        predicted = logistic(design @ line)
        weights = predicted * (1 - predicted)
        curvature = (design * weights[:, None]).T @ design
        slope = design.T @ (targets - predicted) - information @ (line - start)
        step = np.linalg.solve((curvature + information + _RIDGE * np.eye(2))[both], slope[free])
        # Far from the optimum the curvature is nearly none, and an unbounded step would overshoot for good.
        longest = float(np.abs(step).max())
        if longest == 0.0:
            break  # a single label starts where it ends, since the pooled line is its own
        line[free] += step * min(1.0, _LONGEST_STEP / longest)
        if np.abs(step).max() < 1e-8:
            break
    return line, curvature


def fit_isotonic(targets: Targets, scores: Scores) -> Callable[[Scores], Scores]:
    """Isotonic regression per label: measured for comparison, not served."""
    steps = [IsotonicRegression(out_of_bounds="clip").fit(scores[:, i], targets[:, i]) for i in range(scores.shape[1])]
    return lambda given: np.stack([step.predict(given[:, i]) for i, step in enumerate(steps)], axis=1)


def held_out(targets: Targets, scores: Scores, fit: Fit, seed: int) -> Scores:
    """Scores of each paper by the `fit` of the other folds; shape as `scores`."""
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

    In each bin the share of papers with the label is compared with the mean probability. There are fifteen bins of
    equal width (Naeini et al. 2015), or with equally many papers each, which resolves the many scores near zero (Nixon
    et al. 2019).
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
    """Scores of every method, and of isotonic regression, for papers that it was not fitted on."""
    fits: dict[str, Fit] = {name: _fit(name) for name in METHODS} | {"isotonic": fit_isotonic}
    return {name: held_out(targets, scores, fit, seed) for name, fit in fits.items()}


def calibration(
    targets: Targets, predicted: Mapping[str, Scores], labels: Sequence[str], method: Method, lines: Lines, seed: int
) -> Calibration:
    """The manifest's entry: the lines in the graph, and the errors of `held_out_by_method` side by side."""
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
    """The error of targets that are drawn from the probabilities themselves, which no calibration could lower."""
    rng = np.random.default_rng(seed)
    drawn = [mean_error((rng.random(scores.shape) < scores).astype(np.float32), scores) for _ in range(_DRAWS)]
    return CalibrationError(
        equal_width=float(np.mean([error.equal_width for error in drawn])),
        equal_mass=float(np.mean([error.equal_mass for error in drawn])),
    )
