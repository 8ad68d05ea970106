"""Paired differences between two artefacts on the same papers."""

from collections.abc import Sequence

import numpy as np

from model_store.labels import Label
from training.errors import DataError
from training.evaluation.bootstrap import WeightedMetrics, estimates, headline, per_label, resampled
from training.evaluation.predictions import Predictions
from training.evaluation.schemas import ArtefactRef, Comparison


def compare(
    first: Predictions, other: Predictions, reference: ArtefactRef, labels: Sequence[Label], seed: int
) -> Comparison:
    """Differences with intervals, both artefacts on the same resamples; columns must mean the same labels."""
    (value, samples), (other_value, other_samples) = (
        resampled(WeightedMetrics(predictions), len(predictions), seed) for predictions in (first, other)
    )
    differences = estimates(value - other_value, samples - other_samples)
    right, other_right = ~first.wrong, ~other.wrong
    return Comparison(
        other=reference,
        differences=headline(differences),
        label_differences={label.id: dict(per_label(differences, i)) for i, label in enumerate(labels)},
        both_right=int((right & other_right).sum()),
        only_first_right=int((right & ~other_right).sum()),
        only_other_right=int((~right & other_right).sum()),
        neither_right=int((~right & ~other_right).sum()),
    )


def in_order(predictions: Predictions, labels: Sequence[Label], wanted: Sequence[Label]) -> Predictions:
    """The predictions with their columns in the order of `wanted`; DataError unless the names are the same."""
    names = [label.name for label in labels]
    if set(names) != {label.name for label in wanted}:
        raise DataError(
            f"artefacts with other labels cannot be compared: {', '.join(names)} against "
            f"{', '.join(label.name for label in wanted)}"
        )
    columns = np.array([names.index(label.name) for label in wanted])
    return Predictions(
        predictions.truth[:, columns], predictions.scores[:, columns], predictions.decisions[:, columns],
        predictions.statuses, predictions.tokens, predictions.truncated,
    )  # fmt: skip
