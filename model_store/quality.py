"""Figures of an artefact: the quality of its labels and the calibration of its probabilities."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelQuality(_Part):
    """Quality of one label; intervals are 95 % bootstrap."""

    support: int = Field(ge=0, description="papers that carry the label")
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    average_precision: float
    calibration_error: float | None = Field(default=None, description="see Quality")


class TitleQuality(_Part):
    """The validation papers without their abstracts; thresholds chosen on other papers than they are measured on."""

    micro_f1: float = Field(description="with the thresholds that decide on titles alone")
    micro_f1_common: float = Field(description="with the thresholds of papers with abstracts")
    micro_f1_own: float = Field(description="with thresholds chosen on titles alone")
    mean_average_precision: float
    calibration_error: float


class Quality(_Part):
    """Measured on the shipped file, through the same classifier that serves it."""

    papers: int = Field(ge=1, description="papers of the measurement")
    micro_f1: float
    micro_f1_interval: tuple[float, float]
    micro_f1_held_out: float | None = Field(
        default=None, description="with thresholds chosen on other papers than they are measured on (5 folds)"
    )
    macro_f1: float
    mean_average_precision: float
    subset_accuracy: float
    hamming_loss: float
    calibration_error: float | None = Field(
        default=None,
        description="expected calibration error (15 bins of equal width, mean over labels), "
        "calibrated on other papers than it is measured on (5 folds)",
    )
    titles: TitleQuality | None = None
    most_probable: float | None = Field(
        default=None, ge=0, le=1, description="share of papers that carry their most probable label"
    )
    primary_first: float | None = Field(
        default=None, ge=0, le=1, description="share of papers whose primary label is the most probable one"
    )
    primary_among_five: float | None = Field(
        default=None, ge=0, le=1, description="share of papers whose primary label is among the five most probable"
    )
    per_label: dict[str, LabelQuality] = Field(description="by label id")
    baseline: dict[str, float] | None = Field(
        default=None, description="TF-IDF with logistic regression, trained on the same papers"
    )


class CalibrationError(_Part):
    """Expected calibration error, 15 bins, mean over labels, held out in 5 folds."""

    equal_width: float
    equal_mass: float


class Line(_Part):
    """Calibrated log-odds = slope x log-odds + intercept (Platt 1999); it is in the graph already, applied once."""

    slope: float = 1.0
    intercept: float = 0.0


class Calibration(_Part):
    """How probabilities were calibrated: of the papers given 0.7 for a label, about 70 % should carry it."""

    method: Literal["none", "temperature", "platt"] = "none"
    lines: dict[str, Line] = Field(default_factory=dict, description="by label id")
    compared: dict[str, CalibrationError] = Field(
        default_factory=dict, description="by method; isotonic regression for comparison alone"
    )
    chance: CalibrationError | None = Field(
        default=None, description="what perfect probabilities would show on so few papers"
    )
