"""Figures are those of the scores that are served, also of papers without an abstract."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from model_store.labels import UncertainRule, closeness, decide
from model_store.manifest import Exit
from model_store.papers import InputFormat
from tests.training import tiny
from training.config import RunConfig, read_config
from training.data.papers import Papers
from training.model.imported import Network
from training.publishing.edition import Edition, LabelText
from training.publishing.findings import Findings, find, validation_quality
from training.publishing.measurement import Measurement, Scores

PAPERS = 600
EXITS = "[exits]\nlayers = [1]\nmicro_f1_loss = 0.02\n"


def config(folder: Path) -> RunConfig:
    return read_config(tiny.config(folder, extra=EXITS))[0]


def edition(targets: NDArray[np.float32]) -> Edition:
    encoder = SimpleNamespace(config=SimpleNamespace(num_hidden_layers=2))
    return Edition(
        name="tiny", version="0.1.0", limits=(), input=InputFormat(max_tokens=32),
        labels=tuple(LabelText(name, name) for name in "abc"),
        network=cast("Network", SimpleNamespace(encoder=encoder)), validation=Papers([], targets), test=None,
        exit_layers=(1,),
    )  # fmt: skip


def measured(title_only: NDArray[np.bool_], seed: int = 0) -> tuple[Edition, Measurement, Measurement]:
    """Papers, and the same without abstracts, whose scores are lower and less sure; the exit adds noise to both."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 3, size=(PAPERS, 3))
    targets = (rng.random(evidence.shape) < _probabilities(evidence)).astype(np.float32)
    of_titles = [_probabilities(evidence / 2 - 2 + rng.normal(0, noise, evidence.shape)) for noise in (0.3, 0.2)]
    whole = [_probabilities(evidence + rng.normal(0, noise, evidence.shape)) for noise in (0.3, 0)]
    heads = [np.where(title_only[:, None], *pair) for pair in zip(of_titles, whole, strict=True)]
    tokens = np.full(PAPERS, 20)
    titles = Measurement(of_titles, None, tokens, np.ones(PAPERS, dtype=bool))
    return edition(targets), Measurement(heads, None, tokens, title_only), titles


def _probabilities(odds: Scores) -> Scores:
    return 1 / (1 + np.exp(-odds))


def served(findings: Findings, heads: list[Scores], title_only: NDArray[np.bool_]) -> Scores:
    """The scores that `ExitingGraph` gives the papers, from the calibrated scores of both heads."""
    assert findings.exits is not None
    assert findings.exits.title_rule is not None
    (margin,), (title_margin,) = findings.exits.rule.margins, findings.exits.title_rule.margins
    exit_ = Exit(file="model.onnx", layer=1, margin=margin, title_margin=title_margin, share=0)
    rows = []
    for early, late, alone in zip(*heads, title_only.tolist(), strict=True):
        cuts = [label.threshold_for(title_only=alone) for label in findings.labels]
        rows.append(early if exit_.is_taken(closeness(early, cuts), title_only=alone) else late)
    return np.stack(rows)


def test_papers_without_abstract_exit_and_are_decided_as_titles(tmp_path: Path) -> None:
    title_only = np.arange(PAPERS) % 3 == 0
    made, whole, titles = measured(title_only)
    run_config = config(tmp_path)
    findings = find(made, whole, titles, run_config)
    assert any(label.title_threshold is not None for label in findings.labels)
    calibrated = [np.asarray(line(scores)) for line, scores in zip(findings.lines, whole.heads, strict=True)]
    scores = served(findings, calibrated, title_only)
    np.testing.assert_array_equal(findings.scores, scores)
    given = [
        decide(row, findings.labels, UncertainRule(margin=0), title_only=alone).labels
        for row, alone in zip(scores, title_only.tolist(), strict=True)
    ]
    targets = made.validation.targets
    right = sum(int(row[list(labels)].sum()) for row, labels in zip(targets, given, strict=True))
    quality = validation_quality(made, findings, run_config)
    assert quality.micro_f1 == pytest.approx(2 * right / (sum(map(len, given)) + targets.sum()))
    # Titles decided by the thresholds of whole papers would lose more than that.
    assert quality.micro_f1_held_out == pytest.approx(quality.micro_f1, abs=0.01)


def test_papers_without_titles_have_no_figures_of_titles(tmp_path: Path) -> None:
    made, whole, _ = measured(np.zeros(PAPERS, dtype=bool))
    findings = find(made, whole, whole, config(tmp_path))
    assert validation_quality(made, findings, config(tmp_path)).titles is None
