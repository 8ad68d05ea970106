"""Paired differences between two artefacts on the same papers."""

from collections.abc import Sequence

import numpy as np

from model_store.labels import Label
from training.errors import DataError
from training.evaluation.answers import Answers
from training.evaluation.figures import Comparison, Subject
from training.evaluation.measures import Measures, figures, headline, per_label, sampled


def compare(first: Answers, other: Answers, subject: Subject, labels: Sequence[Label], seed: int) -> Comparison:
    """Differences with intervals from resamples of the same papers for both; columns must mean the same labels."""
    (value, samples), (other_value, other_samples) = (
        sampled(Measures(answers), len(answers), seed) for answers in (first, other)
    )
    found = figures(value - other_value, samples - other_samples)
    right, other_right = ~first.wrong, ~other.wrong
    return Comparison(
        other=subject,
        differences=headline(found),
        label_differences={label.id: dict(per_label(found, i)) for i, label in enumerate(labels)},
        both_right=int((right & other_right).sum()),
        only_first_right=int((right & ~other_right).sum()),
        only_other_right=int((~right & other_right).sum()),
        neither_right=int((~right & ~other_right).sum()),
    )


def in_order(answers: Answers, found: Sequence[Label], wanted: Sequence[Label]) -> Answers:
    """The answers with their columns in the order of `wanted`; DataError unless the names are the same."""
    names = [label.name for label in found]
    if set(names) != {label.name for label in wanted}:
        raise DataError(
            f"artefacts with other labels cannot be compared: {', '.join(names)} against "
            f"{', '.join(label.name for label in wanted)}"
        )
    columns = np.array([names.index(label.name) for label in wanted])
    return Answers(
        answers.truth[:, columns], answers.scores[:, columns], answers.decisions[:, columns],
        answers.statuses, answers.tokens, answers.truncated,
    )  # fmt: skip
