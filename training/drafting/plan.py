"""Sizes of a run: a learning rate that fits the encoder; lengths, epochs and papers that fit the time available."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from training.config import ScopeConfig
from training.drafting.survey import Survey
from training.fitting.speed import Speed
from training.model.pretrained import EncoderFacts

# A first result should be ready within twenty minutes; the margin is for everything that is not estimated.
BUDGET_SECONDS = 17 * 60
# Encoders of the BERT family have 512 positions.
_LONGEST = 512
# [CLS] title [SEP] abstract [SEP]
_SPECIAL_TOKENS = 3
# Lengths are rounded up to a multiple of this; a tighter fit saves nothing worth while.
_STEP = 32
# Texts shorter than these cost more quality than fewer epochs do, so the number of epochs is reduced first.
_LENGTHS = (256, 192, 128)
_SHORTEST = (96, 64)
# The share that the draft holds out for validation.
_HELD_OUT = 0.125

# Costs of the stages after fitting, as shares of what a training step takes for the same paper: a forward pass is a
# third of it, int8 on onnxruntime about half of that.
_EVALUATION = 1 / 3
_FP32_GRAPH = 1 / 2
_INT8_GRAPH = 1 / 6
# Export, quantization, calibration and pictures; does not depend on the number of papers.
_PUBLISHING_SECONDS = 40
# TF-IDF with logistic regression: one regression per label.
_BASELINE_SECONDS_PER_PAPER = 0.002
_BASELINE_SECONDS_PER_PAPER_AND_LABEL = 0.0006
# Texts out of scope, scored beside the papers that the scope's detector learns from.
_OUT_OF_SCOPE_TEXTS = 240
# Fewer papers are too few to fit the network and the detector.
_FEWEST = 300


class Costs(NamedTuple):
    """Estimated seconds of the stages of a run."""

    fit: float
    baseline: float
    publish: float

    @property
    def total(self) -> float:
        """All stages together."""
        return self.fit + self.baseline + self.publish


@dataclass(frozen=True)
class Plan:
    """The sizes that the draft writes."""

    learning_rate: float
    batch_size: int
    input_tokens: int
    """Word pieces that serving reads."""
    fit_tokens: int
    """Word pieces that training reads; fewer save time."""
    epochs: int
    sample: int | None
    """Training papers to draw where all of them would take too long."""
    validation_sample: int | None
    scope_papers: int
    costs: Costs


def plan(found: Survey, encoder: EncoderFacts, speed: Speed) -> Plan:
    """The first plan that fits into the budget, from the best to the fastest; with a sample if none of them fits.

    If there are too few papers to draw a sample from, it is the fastest plan, whatever it costs.
    """
    estimate = _Estimate(found, encoder, speed)
    plans = [estimate.plan(tokens, epochs) for tokens, epochs in _sizes(estimate.input_tokens, found.papers)]
    fitting = next((made for made in plans if made.costs.total <= BUDGET_SECONDS), None)
    return fitting or estimate.sampled(plans[-1])


def learning_rate(encoder: EncoderFacts) -> float:
    """The usual peak rate for an encoder of this size.

    Sun et al. 2019, section 5.4.1, fine-tune BERT-base with 2e-5 and see 4e-4 diverge. Narrow and
    shallow encoders, such as MiniLM with six layers of 384, learn too little at that rate and are
    stable at ten times as much; those of twelve narrow layers need a rate in between, BERT-large half.
    """
    if encoder.hidden >= 1024:
        return 1e-5
    if encoder.layers <= 6:
        return 2e-4
    return 2e-5 if encoder.hidden >= 768 else 1e-4


def _sizes(longest: int, papers: int) -> Iterator[tuple[int, int]]:
    """Lengths and epochs to try, the best first: shorter texts before fewer epochs, the shortest last."""
    most = 2 if papers > 50_000 else 4 if papers > 5_000 else 8
    lengths = [longest, *(length for length in _LENGTHS if length < longest)]
    shortest = [length for length in _SHORTEST if length < longest] or lengths[-1:]
    for epochs in (epochs for epochs in (8, 6, 4, 3, 2) if epochs <= most):
        yield from ((length, epochs) for length in lengths)
    yield from ((length, min(3, most)) for length in shortest)


class _Estimate:
    """Costs of runs over one file, with one encoder, on this machine."""

    def __init__(self, found: Survey, encoder: EncoderFacts, speed: Speed) -> None:
        self.input_tokens = min(_LONGEST, encoder.positions, _round_up(found.long_tokens + _SPECIAL_TOKENS))
        self._found = found
        self._speed = speed
        self._rate = learning_rate(encoder)
        self._training = found.papers - round(found.papers * _HELD_OUT)
        self._served = self._seconds(self.input_tokens)

    def plan(self, fit_tokens: int, epochs: int, sample: int | None = None) -> Plan:
        """The plan with these sizes and its costs."""
        training = sample or self._training
        return Plan(
            learning_rate=self._rate,
            batch_size=24 if training > 1000 else 8,
            input_tokens=self.input_tokens,
            fit_tokens=fit_tokens,
            epochs=epochs,
            sample=sample,
            validation_sample=None if sample is None else self._held_out(sample),
            scope_papers=self._scope_papers(training),
            costs=self._costs(fit_tokens, epochs, training),
        )

    def sampled(self, too_long: Plan) -> Plan:
        """The same plan with as many papers as fit into the budget; unchanged if there are too few to draw from."""
        tokens, epochs = too_long.fit_tokens, too_long.epochs
        sizes = range(_FEWEST, self._training, 100)
        if not sizes:
            return too_long
        fitting = bisect_right(sizes, BUDGET_SECONDS, key=lambda size: ceil(self._costs(tokens, epochs, size).total))
        return self.plan(tokens, epochs, sizes[max(0, fitting - 1)])

    def _costs(self, fit_tokens: int, epochs: int, training: int) -> Costs:
        held_out, labels = self._held_out(training), len(self._found.labels)
        int8_papers = 2 * held_out + self._scope_papers(training) + _OUT_OF_SCOPE_TEXTS  # whole, and titles alone
        return Costs(
            fit=epochs * self._seconds(fit_tokens) * (training + held_out * _EVALUATION),
            baseline=training * (_BASELINE_SECONDS_PER_PAPER + _BASELINE_SECONDS_PER_PAPER_AND_LABEL * labels),
            publish=_PUBLISHING_SECONDS + self._served * (held_out * _FP32_GRAPH + int8_papers * _INT8_GRAPH),
        )

    def _held_out(self, training: int) -> int:
        return round(training * _HELD_OUT / (1 - _HELD_OUT))

    def _seconds(self, most_tokens: int) -> float:
        """Mean seconds per paper of a training step, with texts cut to `most_tokens`."""
        lengths = (min(most_tokens, length + _SPECIAL_TOKENS) for length in self._found.lengths)
        return float(np.mean([self._speed.seconds(length) for length in lengths]))

    def _scope_papers(self, training: int) -> int:
        """The default number, but not more than can be scored in an eighth of the budget."""
        affordable = int(BUDGET_SECONDS / 8 / (self._served * _INT8_GRAPH))
        return min(ScopeConfig().papers, training, max(_FEWEST, affordable // 100 * 100))


def _round_up(tokens: int) -> int:
    return max(_STEP, -(-tokens // _STEP) * _STEP)
