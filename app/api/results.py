"""Response bodies made from the engine's outcomes."""

from collections.abc import Iterator, Sequence

import numpy as np

from app.api.dependencies import Refused, Submitted
from app.api.errors import ServiceError, problem, problem_type
from app.api.schemas import (
    BatchOut,
    ClassifyOut,
    EvidenceOut,
    ExplainOut,
    FailureOut,
    InputOut,
    ModelOut,
    ResultOut,
    SentenceOut,
)
from app.api.validation import no_text
from app.explain.explainer import Explanation, Weights
from app.explain.sentences import Passage
from app.inference.engine import Answer, Outcome, Prediction
from app.inference.errors import InferenceError
from app.observability.request_log import Record
from model_store.errors import PaperError
from model_store.labels import Label
from model_store.manifest import Manifest


def model_out(manifest: Manifest, sha256: str) -> ModelOut:
    """The artefact as responses name it."""
    return ModelOut(name=manifest.name, version=manifest.version, sha256=sha256)


def classify_out(paper: Submitted, answer: Answer) -> ClassifyOut:
    """The result for a single paper; raises the error of its outcome."""
    (outcome,) = answer.outcomes
    if not isinstance(outcome, Prediction):
        raise _error(outcome, "#")
    return ClassifyOut(
        **_fields(paper, outcome, answer.manifest.labels), model=model_out(answer.manifest, answer.sha256)
    )


def batch_out(papers: Sequence[Submitted | Refused], answer: Answer, record: Record) -> BatchOut:
    """One result per paper; the answer has outcomes for the valid papers only."""
    outcomes = iter(answer.outcomes)
    results = [_entry(paper, outcomes, f"#/papers/{i}", answer, record) for i, paper in enumerate(papers)]
    return BatchOut(results=results, model=model_out(answer.manifest, answer.sha256))


def explain_out(paper: Submitted, explanation: Explanation) -> ExplainOut:
    """The result for a single paper with its evidence; raises the error of its outcome."""
    answer, evidence = explanation
    result = classify_out(paper, answer)
    names = list(result.probabilities)
    explained = result.labels or [max(result.probabilities, key=result.probabilities.__getitem__)]
    return ExplainOut(
        **dict(result),
        evidence=[EvidenceOut(label=name, sentences=_sentences(evidence, names.index(name))) for name in explained],
        merged=any(passage.sentences > 1 for passage, _ in evidence),
    )


def _entry(
    paper: Submitted | Refused, outcomes: Iterator[Outcome], pointer: str, answer: Answer, record: Record
) -> ResultOut | FailureOut:
    if isinstance(paper, Refused):
        return _failure(paper.id, paper.error, record)
    outcome = next(outcomes)
    if isinstance(outcome, Prediction):
        return ResultOut(**_fields(paper, outcome, answer.manifest.labels))
    return _failure(paper.id, _error(outcome, pointer), record)


def _failure(paper_id: str | None, error: ServiceError, record: Record) -> FailureOut:
    record.problems.append(problem_type(type(error)).code)
    return FailureOut(id=paper_id, error=problem(error, record.id))


def _error(outcome: PaperError | InferenceError, pointer: str) -> ServiceError:
    return no_text(pointer) if isinstance(outcome, PaperError) else outcome


def _fields(paper: Submitted, prediction: Prediction, labels: Sequence[Label]) -> dict[str, object]:
    encoding, scored, decision = prediction
    return {
        "id": paper.id,
        "probabilities": {label.name: _shortest(p) for label, p in zip(labels, scored.measured.scores, strict=True)},
        "labels": [labels[i].name for i in decision.labels],
        "status": decision.status,
        "input": InputOut(
            tokens=encoding.tokens,
            tokens_used=encoding.tokens_used,
            truncated=encoding.truncated,
            abstract=bool(paper.paper.abstract.strip()),
        ),
    }


def _sentences(evidence: Sequence[tuple[Passage, Weights | None]], label: int) -> list[SentenceOut]:
    return [
        SentenceOut(**passage._asdict(), weight=None if weights is None else round(float(weights[label]), 4))
        for passage, weights in evidence
    ]


def _shortest(probability: np.float32) -> float:
    """The shortest decimal that rounds to this float32: 0.973 rather than 0.9729999899864197."""
    return float(str(probability))
