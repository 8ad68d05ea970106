"""From the engine's outcomes to the bodies that are sent. Pure translation; decides and counts nothing."""

from collections.abc import Sequence

import numpy as np
from starlette.datastructures import MutableHeaders

from app.api import problems
from app.api.body import Reading, no_text
from app.api.schemas import (
    BatchOut,
    ClassifyOut,
    EvidenceOut,
    ExplainOut,
    FailureOut,
    InputOut,
    ModelOut,
    PaperIn,
    ResultOut,
    SentenceOut,
)
from app.errors import InvalidRequest, ServiceError
from app.explain.explainer import Explanation, Weights
from app.explain.pieces import Piece
from app.inference.engine import Answer, Outcome, Verdict
from app.inference.reload import Classifier
from app.observability.request_log import Record
from model_store.errors import PaperError
from model_store.labels import Label
from model_store.papers import Paper


def paper(given: PaperIn) -> Paper:
    """The paper of a body."""
    return Paper(given.title, given.abstract)


def model(classifier: Classifier) -> ModelOut:
    """Who answers now."""
    manifest = classifier.manifest
    return ModelOut(name=manifest.name, version=manifest.version, sha256=classifier.sha256)


def single(given: PaperIn, answer: Answer) -> ClassifyOut:
    """The answer for one paper; raises the ServiceError that took its place."""
    (outcome,) = answer.outcomes
    verdict = _verdict(outcome, "#")
    return ClassifyOut(**_fields(given, verdict, answer.manifest.labels), model=_model(answer))


def batch(readings: Sequence[Reading], answer: Answer, record: Record) -> BatchOut:
    """One result per reading; the answer has outcomes for the readable ones only."""
    outcomes = iter(answer.outcomes)
    results: list[ResultOut | FailureOut] = []
    for i, reading in enumerate(readings):
        try:
            given = _readable(reading)
            verdict = _verdict(next(outcomes), f"#/papers/{i}")
            results.append(ResultOut(**_fields(given, verdict, answer.manifest.labels)))
        except ServiceError as error:
            results.append(_failure(reading.id, error, record))
    return BatchOut(results=results, model=_model(answer))


def explained(given: PaperIn, explanation: Explanation) -> ExplainOut:
    """The answer for one paper with its evidence; raises the ServiceError that took its place."""
    answer, evidence = explanation
    plain = single(given, answer)
    names = list(plain.probabilities)
    told = plain.labels or [max(plain.probabilities, key=plain.probabilities.__getitem__)]
    return ExplainOut(
        **dict(plain),
        evidence=[EvidenceOut(label=name, sentences=_sentences(evidence, names.index(name))) for name in told],
        merged=any(piece.sentences > 1 for piece, _ in evidence),
    )


def note(answer: Answer, record: Record, headers: MutableHeaders) -> None:
    """Write what the answer took and who gave it into the record and the headers."""
    verdicts = [outcome for outcome in answer.outcomes if isinstance(outcome, Verdict)]
    record.papers = len(answer.outcomes)
    record.tokens = sum(verdict.encoding.tokens for verdict in verdicts)
    record.tokenize_s = answer.tokenize_s
    record.queue_s = max((verdict.scored.queue_s for verdict in verdicts), default=0.0)
    record.infer_s = sum(verdict.scored.infer_s for verdict in verdicts)
    record.model_version = answer.manifest.version
    headers["Server-Timing"] = record.server_timing
    headers["X-Model-Version"] = answer.manifest.version


def _readable(reading: Reading) -> PaperIn:
    if isinstance(reading.paper, InvalidRequest):
        raise reading.paper
    return reading.paper


def _verdict(outcome: Outcome, at: str) -> Verdict:
    if isinstance(outcome, PaperError):
        raise no_text(at)
    if isinstance(outcome, ServiceError):
        raise outcome
    return outcome


def _failure(paper_id: str | None, error: ServiceError, record: Record) -> FailureOut:
    record.problems.append(problems.kind_of(error).code)
    return FailureOut(id=paper_id, error=problems.problem(error, record.id))


def _model(answer: Answer) -> ModelOut:
    manifest = answer.manifest
    return ModelOut(name=manifest.name, version=manifest.version, sha256=answer.sha256)


def _fields(given: PaperIn, verdict: Verdict, labels: Sequence[Label]) -> dict[str, object]:
    encoding, scored, decision = verdict
    return {
        "id": given.given_id,
        "probabilities": {label.name: _shortest(p) for label, p in zip(labels, scored.measured.scores, strict=True)},
        "labels": [labels[i].name for i in decision.labels],
        "status": decision.status,
        "input": InputOut(
            tokens=encoding.tokens,
            tokens_used=encoding.tokens_used,
            truncated=encoding.truncated,
            abstract=bool(given.abstract.strip()),
        ),
    }


def _sentences(evidence: Sequence[tuple[Piece, Weights | None]], label: int) -> list[SentenceOut]:
    return [
        SentenceOut(**piece._asdict(), weight=None if weights is None else round(float(weights[label]), 4))
        for piece, weights in evidence
    ]


def _shortest(probability: np.float32) -> float:
    """The shortest decimal that is this float32 and no other: 0.973 rather than 0.9729999899864197."""
    return float(str(probability))
