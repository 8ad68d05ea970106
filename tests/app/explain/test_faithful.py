"""Evidence of the bundled artefact is faithful: what it names is what the score rests on.

One sentence at a time this would hold by definition, so two are left out together: how they act
together was never asked when each was weighed. The texts are invented.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import model_store
from app.main import create_app
from app.settings import Settings
from model_store.papers import Paper
from model_store.store import Store

ARTEFACTS = Path(model_store.__file__).parent / "artefacts"
PAPERS = (
    Paper(
        "Notes from a summer school",
        "Many people helped with this text. We describe a compiler pass that removes redundant locks from concurrent "
        "programs. The weather was fair. Its soundness rests on a happens-before analysis of the call graph. We thank "
        "the hosts for their patience.",
    ),
    Paper(
        "What we saw in winter",
        "The work took four years. Neutrons scattered from the frustrated magnet show a continuum of spin excitations. "
        "Earlier reports disagree with each other. The spectrum is that of a quantum spin liquid at low temperature. "
        "Figures are at the end.",
    ),
    Paper(
        "A short remark",
        "This remark answers a question from a letter. We prove that every smooth projective surface of general type "
        "has finitely many rational curves of low degree. The reader may skip the first part. The proof uses "
        "foliations and a theorem on canonical bundles. Nothing here is hard.",
    ),
    Paper(
        "Forty observations",
        "The data were kindly made available. We propose an estimator of the variance that stays consistent under "
        "heteroscedastic errors and many covariates. Some tables are long. Its asymptotic distribution is derived "
        "from a central limit theorem for dependent samples. Comments are welcome.",
    ),
    Paper(
        "Report of the third year",
        "The report has five parts. We sequenced the gut microbes of mice and followed mutations in their regulatory "
        "genes. Most of the work was done at night. Cells with the mutation divide faster and escape the immune "
        "response. The last part lists open questions.",
    ),
    Paper(
        "A view from the desk",
        "The title is meant lightly. We calibrate a stochastic volatility model to the prices of equity options and "
        "derive the hedge of a portfolio. It was written in spring. The risk premium of the market explains most of "
        "the returns of the strategy. An appendix follows.",
    ),
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    if not Store(ARTEFACTS).versions():
        pytest.skip("no artefact is bundled yet")
    with TestClient(create_app(Settings(request_timeout_s=60))) as client:
        yield client


def probability(client: TestClient, paper: Paper, label: str) -> float:
    answer: dict[str, Any] = client.post("/classify", json=paper._asdict()).raise_for_status().json()
    return float(answer["probabilities"][label])


def without(paper: Paper, spans: list[tuple[int, int]]) -> Paper:
    kept = [c for i, c in enumerate(paper.abstract) if not any(start <= i < end for start, end in spans)]
    return paper._replace(abstract="".join(kept))


def losses(client: TestClient, paper: Paper) -> tuple[float, float]:
    """What the label loses without its two heaviest sentences of the abstract, and without two others on average."""
    explained = client.post("/explain", json=paper._asdict()).raise_for_status().json()
    evidence = explained["evidence"][0]
    ranked = sorted(
        (s for s in evidence["sentences"] if s["field"] == "abstract"), key=lambda s: s["weight"], reverse=True
    )
    full = explained["probabilities"][evidence["label"]]
    pairs = itertools.combinations([(s["start"], s["end"]) for s in ranked], 2)
    top, *others = [full - probability(client, without(paper, list(pair)), evidence["label"]) for pair in pairs]
    return top, sum(others) / len(others)


def test_without_the_heaviest_sentences_the_score_falls_most(client: TestClient) -> None:
    measured = [losses(client, paper) for paper in PAPERS]
    top, others = (sum(column) / len(measured) for column in zip(*measured, strict=True))
    assert top > 0.1, measured
    assert top > 2 * others, measured
