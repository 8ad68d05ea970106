"""Response bodies made from the engine's outcomes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
from app.api.validation import Refused, Submitted, no_text
from app.explain.explainer import Explanation, Weights
from app.explain.sentences import Passage
from app.inference.engine import Answer, Outcome, Prediction
from app.inference.errors import InferenceError
from app.observability.request_log import RequestLog
from model_store.errors import PaperError
from model_store.labels import Decision, Label
from model_store.manifest import Manifest


def model_out(manifest: Manifest, sha256: str) -> ModelOut:
    """The artefact as responses name it."""
    return ModelOut(name=manifest.name, version=manifest.version, sha256=sha256)


def predicted(outcome: Outcome, pointer: str) -> Prediction:
    """The prediction; raises the error in its place, for the paper at this JSON pointer."""
    if not isinstance(outcome, Prediction):
        raise _error(outcome, pointer)
    return outcome


def label_uri(label: Label, manifest: Manifest) -> str:
    """The label's URI in its vocabulary, or one made of the model's name and the label's id."""
    return label.uri or f"urn:paper-subjects:{manifest.name}:{label.id}"


def shortest(probability: np.float32) -> float:
    """The shortest decimal that rounds to this float32: 0.973 rather than 0.9729999899864197."""
    return float(str(probability))


def classify_out(paper: Submitted, answer: Answer, top: int | None) -> ClassifyOut:
    """The result for a single paper, with the `top` most probable labels or all; raises the error of its outcome."""
    prediction = predicted(answer.outcomes[0], "#")
    return ClassifyOut(
        **_fields(paper, prediction, answer.manifest.labels, top), model=model_out(answer.manifest, answer.sha256)
    )


def batch_out(papers: Sequence[Submitted | Refused], answer: Answer, record: RequestLog, top: int | None) -> BatchOut:
    """One result per paper; the answer has outcomes for the valid papers only."""
    outcomes = iter(answer.outcomes)
    labels = answer.manifest.labels
    results: list[ResultOut | FailureOut] = []
    for i, paper in enumerate(papers):
        if isinstance(paper, Refused):
            results.append(_failure(paper.id, paper.error, record))
        elif isinstance(outcome := next(outcomes), Prediction):
            results.append(ResultOut(**_fields(paper, outcome, labels, top)))
        else:
            results.append(_failure(paper.id, _error(outcome, f"#/papers/{i}"), record))
    return BatchOut(results=results, model=model_out(answer.manifest, answer.sha256))


def explain_out(paper: Submitted, explanation: Explanation, top: int | None) -> ExplainOut:
    """The result for a single paper with its evidence; raises the error of its outcome."""
    answer, evidence = explanation
    result = classify_out(paper, answer, top)
    names = [label.name for label in answer.manifest.labels]
    explained = result.labels or [max(result.probabilities, key=result.probabilities.__getitem__)]
    return ExplainOut(
        **dict(result),
        evidence=[EvidenceOut(label=name, sentences=_sentences(evidence, names.index(name))) for name in explained],
        merged=any(passage.sentences > 1 for passage, _ in evidence),
    )


def _failure(paper_id: str | None, error: ServiceError, record: RequestLog) -> FailureOut:
    record.problems.append(problem_type(type(error)).code)
    return FailureOut(id=paper_id, error=problem(error, record.id, record.root_path))


def _error(outcome: PaperError | InferenceError, pointer: str) -> ServiceError:
    return no_text(pointer) if isinstance(outcome, PaperError) else outcome


def _fields(paper: Submitted, prediction: Prediction, labels: Sequence[Label], top: int | None) -> dict[str, object]:
    encoding, scored, decision = prediction
    scores = scored.output.scores
    shown = range(len(labels)) if top is None else _most_probable(scores, top, decision)
    return {
        "id": paper.id,
        "probabilities": {labels[i].name: shortest(scores[i]) for i in shown},
        "labels": [labels[i].name for i in decision.labels],
        "status": decision.status,
        "input": InputOut(
            tokens=encoding.tokens,
            tokens_used=encoding.tokens_used,
            truncated=encoding.truncated,
            abstract=not encoding.title_only,
            unknown=encoding.unknown,
            changes=list(encoding.changes),
            withdrawn=encoding.withdrawn,
            layer=scored.output.layer,
        ),
    }


def _most_probable(scores: NDArray[np.float32], top: int, decision: Decision) -> list[int]:
    """The `top` most probable labels and all assigned ones, most probable first; equal ones in the artefact's order."""
    ranking = np.argsort(-scores, kind="stable").tolist()
    shown = {*ranking[:top], *decision.labels}
    return [label for label in ranking if label in shown]


def _sentences(evidence: Sequence[tuple[Passage, Weights | None]], label: int) -> list[SentenceOut]:
    return [
        SentenceOut(**passage._asdict(), weight=None if weights is None else round(float(weights[label]), 4))
        for passage, weights in evidence
    ]
