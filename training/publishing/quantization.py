"""Quantizes the graph of an edition by the first scheme that passes the gates."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.papers import Encoding
from training.config import PublishConfig
from training.publishing.calibration import fit_lines
from training.publishing.gates import Comparison, compare, missed_gates, refuse
from training.publishing.measurement import GraphParts, Measurement
from training.publishing.quantization_schemes import Scheme, schemes

_LOG = logging.getLogger("training")


class Quantized(NamedTuple):
    """The parts of a quantized graph, and what they compute for the validation papers."""

    parts: list[bytes]
    scheme: Scheme
    whole: Measurement
    comparison: Comparison
    missed: list[str]
    """A sentence for each gate that is missed."""


def quantize_within_gates(
    parts: Sequence[bytes],
    fp32: Measurement,
    encodings: Sequence[Encoding],
    targets: NDArray[np.float32] | None,
    config: PublishConfig,
) -> Quantized:
    """The first scheme that passes all gates, else the one that misses the fewest and changes the fewest decisions.

    Raises GateError if that one misses a gate and the gates are strict.
    """
    tried: list[Quantized] = []
    for scheme in schemes(config.quantization):
        tried.append(_quantize(parts, scheme, fp32, encodings, targets, config))
        _LOG.info("%s: %s", scheme.description, tried[-1].comparison)
        if not tried[-1].missed:
            return tried[-1]
        _LOG.warning("%s: %s", scheme.description, "; ".join(tried[-1].missed))
    best = min(tried, key=lambda found: (len(found.missed), found.comparison.flipped))
    if config.gates.strict:
        refuse(best.missed)
    return best


def _quantize(
    parts: Sequence[bytes],
    scheme: Scheme,
    fp32: Measurement,
    encodings: Sequence[Encoding],
    targets: NDArray[np.float32] | None,
    config: PublishConfig,
) -> Quantized:
    made = [scheme.quantize(part) for part in parts]
    whole = GraphParts(made).measure(encodings, "int8")
    # Both are compared as they would be served, by the calibration of the quantized scores.
    before, after = fp32.scores, whole.scores
    if targets is not None:
        lines = fit_lines(targets, after, config.calibration.method)
        before, after = lines(before), lines(after)
    found = compare(targets, before, after, (sum(map(len, parts)), sum(map(len, made))))
    return Quantized(made, scheme, whole, found, missed_gates(found, config.gates))
