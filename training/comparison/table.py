"""Means, deviations and paired differences of a comparison, as rows and as Markdown."""

from collections.abc import Sequence
from statistics import fmean, stdev

from pydantic import BaseModel, ConfigDict

from training.comparison.outcome import Outcome
from training.comparison.variants import Comparison, Variant

# A difference counts as real beyond two standard errors.
_ERRORS = 2.0

_COLUMNS = {
    "micro_f1": ("micro-F1", 1.0, 4),
    "macro_f1": ("macro-F1", 1.0, 4),
    "mean_average_precision": ("mAP", 1.0, 4),
    "calibration_error": ("ECE", 1.0, 4),
    "training_seconds": ("training, min", 1 / 60, 1),
    "seconds_per_paper": ("a paper, ms", 1e3, 1),
    "bytes": ("fp32, MB", 1e-6, 1),
}


class Spread(BaseModel):
    """A mean over seeds and the sample standard deviation; None with a single seed."""

    model_config = ConfigDict(frozen=True)

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(mean=fmean(values), deviation=stdev(values) if len(values) > 1 else None)


class Difference(BaseModel):
    """Difference of micro-F1 from the first variant, paired by seed."""

    model_config = ConfigDict(frozen=True)

    mean: float
    standard_error: float | None
    """None with a single seed in common."""

    @property
    def clear(self) -> bool | None:
        """Whether it exceeds two standard errors; None if unknown."""
        return None if self.standard_error is None else abs(self.mean) > _ERRORS * self.standard_error


class Row(BaseModel):
    """One variant over its seeds."""

    model_config = ConfigDict(frozen=True)

    variant: str
    study: str
    expected: str
    seeds: tuple[int, ...]
    """The finished seeds."""
    train_papers: int
    figures: dict[str, Spread]
    difference: Difference | None
    curve: tuple[tuple[float, Spread], ...]
    """Micro-F1 by step, for evaluations that all finished seeds have."""
    errors: tuple[str, ...]


def rows(comparison: Comparison, outcomes: Sequence[Outcome]) -> list[Row]:
    """A row for each variant that has an outcome, in the comparison's order."""
    found = {variant.name: [o for o in outcomes if o.variant == variant.name] for variant in comparison.variants}
    base = _by_seed(found[comparison.base.name])
    return [
        _row(variant, found[variant.name], {} if variant is comparison.base else base)
        for variant in comparison.variants
        if found[variant.name]
    ]


def markdown(found: Sequence[Row]) -> str:
    """The table, followed by the failed runs."""
    measured = [row for row in found if row.seeds]
    columns = {name: column for name, column in _COLUMNS.items() if any(name in row.figures for row in measured)}
    titles = [
        "variant", "study", "seeds", "papers", *(title for title, _, _ in columns.values()),
        "micro-F1 against the first", "more than two standard errors", "expected",
    ]  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in measured:
        cells = [row.variant, row.study, str(len(row.seeds)), str(row.train_papers)]
        cells += [_spread(row.figures.get(name), scale, digits) for name, (_, scale, digits) in columns.items()]
        lines.append("| " + " | ".join([*cells, *_difference(row.difference), row.expected]) + " |")
    failed = [f"- {row.variant}: {error}" for row in found for error in row.errors]
    notes = "Mean ± sample standard deviation over seeds; differences are paired by seed."
    return "\n".join([*lines, "", notes, *(["", "Failed:", "", *failed] if failed else [])]) + "\n"


def _row(variant: Variant, outcomes: Sequence[Outcome], base: dict[int, Outcome]) -> Row:
    finished = _by_seed(outcomes)
    names = list(dict.fromkeys(name for outcome in finished.values() for name in outcome.figures))
    return Row(
        variant=variant.name,
        study=variant.study,
        expected=variant.expected,
        seeds=tuple(finished),
        train_papers=next((outcome.train_papers for outcome in finished.values()), 0),
        figures={name: Spread.of([outcome.figures[name] for outcome in finished.values()]) for name in names},
        difference=_against(finished, base),
        curve=_curve(list(finished.values())),
        errors=tuple(f"seed {outcome.seed}: {outcome.error}" for outcome in outcomes if outcome.error),
    )


def _by_seed(outcomes: Sequence[Outcome]) -> dict[int, Outcome]:
    return {outcome.seed: outcome for outcome in outcomes if outcome.error is None}


def _against(finished: dict[int, Outcome], base: dict[int, Outcome]) -> Difference | None:
    common = [seed for seed in finished if seed in base]
    if not common:
        return None
    found = Spread.of([finished[seed].figures["micro_f1"] - base[seed].figures["micro_f1"] for seed in common])
    error = None if found.deviation is None else found.deviation / len(common) ** 0.5
    return Difference(mean=found.mean, standard_error=error)


def _curve(outcomes: Sequence[Outcome]) -> tuple[tuple[float, Spread], ...]:
    curves = [dict(outcome.curve) for outcome in outcomes]
    steps = [step for step in curves[0] if all(step in curve for curve in curves)] if curves else []
    return tuple((step, Spread.of([curve[step] for curve in curves])) for step in steps)


def _spread(value: Spread | None, scale: float, digits: int) -> str:
    if value is None:
        return "–"
    mean = f"{value.mean * scale:.{digits}f}"
    return mean if value.deviation is None else f"{mean} ± {value.deviation * scale:.{digits}f}"


def _difference(found: Difference | None) -> tuple[str, str]:
    if found is None:
        return "–", "–"
    spread = "" if found.standard_error is None else f" ± {found.standard_error:.4f}"
    return f"{found.mean:+.4f}{spread}", {True: "yes", False: "no", None: "one seed: unknown"}[found.clear]
