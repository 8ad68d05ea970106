"""The bundled artefact: complete, consistent with its card, with the same answer for a paper in any batch."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import model_store
from model_store.labels import decide
from model_store.papers import Paper
from model_store.store import Artefact, Store
from tests.app.running import ROOT, Running, running
from tests.builders import figures
from training.data.corpus import read_papers

ARTEFACTS = Path(model_store.__file__).parent / "artefacts"
MOST_CHANGE = 1e-4


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return Store(ARTEFACTS).open()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), request_timeout_s=60) as service:
        yield service


def test_one_version_is_shipped_and_it_replays_its_golden_papers(artefact: Artefact) -> None:
    assert len(Store(ARTEFACTS).versions()) == 1
    golden = artefact.golden()
    assert golden.replay(artefact.classifier()) <= golden.tolerance


def test_it_passed_the_gates_it_was_published_through(artefact: Artefact) -> None:
    cost = artefact.manifest.quantization
    assert cost.micro_f1_fp32 is not None
    assert cost.micro_f1_int8 is not None
    # Both with the best thresholds for each.
    assert cost.micro_f1_int8 >= cost.micro_f1_fp32 - 0.003
    assert cost.flipped <= 0.03
    assert artefact.manifest.files["model.onnx"].bytes <= 35_000_000


def test_it_beats_the_baseline_trained_on_the_same_papers(artefact: Artefact) -> None:
    quality, baseline = figures(artefact.manifest), figures(artefact.manifest).baseline
    assert baseline is not None
    assert quality.micro_f1 > baseline["micro_f1"]
    assert quality.mean_average_precision > baseline["mean_average_precision"]


def test_card_and_manifest_agree(artefact: Artefact) -> None:
    assert f"{figures(artefact.manifest).micro_f1:.4f}" in artefact.card()
    assert f"{artefact.manifest.uncertain.share:.1%}" in artefact.card()


@pytest.mark.parametrize(
    ("subject", "title", "abstract"),
    [
        ("computer-science", "Register allocation by colouring interval graphs", "A compiler pass that spills less."),
        ("mathematics", "A proof that every finite group of odd order is solvable, revisited", ""),
        ("physics", "Vortices in rotating superfluid helium films", "We image vortices below the lambda point."),
        ("quantitative-finance", "Pricing of barrier options under rough volatility", ""),
        ("quantitative-biology", "Gene regulatory networks in early zebrafish embryos", "From single-cell counts."),
        ("statistics", "Consistency of the bootstrap for heavy-tailed regression", "We give coverage guarantees."),
    ],
)
def test_a_plain_paper_of_each_subject_is_recognised(
    artefact: Artefact, subject: str, title: str, abstract: str
) -> None:
    manifest = artefact.manifest
    (scores,) = artefact.classifier().scores([Paper(title, abstract)])
    decision = decide(scores, manifest.labels, manifest.uncertain)
    assert subject in [manifest.labels[i].id for i in decision.labels]


TITLE, ABSTRACT = "Efficient classification of different flows", "We find that the first mode of H2O decays, & why."


@pytest.mark.parametrize(
    ("title", "abstract"),
    [
        ("Eﬃcient classiﬁcation of diﬀerent ﬂows", "We ﬁnd that the ﬁrst mode of H₂O decays, & why."),
        ("Ｅｆｆｉｃｉｅｎｔ ｃｌａｓｓｉｆｉｃａｔｉｏｎ ｏｆ ｄｉｆｆｅｒｅｎｔ ｆｌｏｗｓ", ABSTRACT),
        ("𝐸𝑓𝑓𝑖𝑐𝑖𝑒𝑛𝑡 𝑐𝑙𝑎𝑠𝑠𝑖𝑓𝑖𝑐𝑎𝑡𝑖𝑜𝑛 of different flows", ABSTRACT),
        (
            "Efficient classi-\nfication of dif\u00adferent\u200b flows",
            "We find that the first mode of H2O de-\ncays, & why.",
        ),
        (
            TITLE,
            "<jats:title>Abstract</jats:title><jats:p>We find that the <jats:italic>first</jats:italic> mode of "
            "H<jats:sub>2</jats:sub>O decays, &amp; why.</jats:p>",
        ),
        (
            f"<b>{TITLE}</b>",
            'We find that the first mode of <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML" altimg="si1.svg">'
            "<mml:mtext>H2O</mml:mtext></mml:math> decays, & why.",
        ),
        (TITLE, "&lt;p&gt;We find that the &lt;i&gt;first&lt;/i&gt; mode of H2O decays, &amp;amp; why.&lt;/p&gt;"),
    ],
    ids=["ligatures", "full width", "mathematical letters", "hyphenation", "JATS", "MathML", "escaped twice"],
)
def test_a_paper_gets_the_same_word_pieces_in_every_spelling(artefact: Artefact, title: str, abstract: str) -> None:
    plain, spelled = artefact.classifier().encode([Paper(TITLE, ABSTRACT), Paper(title, abstract)])
    assert spelled.input_ids == plain.input_ids
    assert spelled.changes


def test_the_readme_s_example_gets_the_readme_s_answer(service: Running) -> None:
    readme = (ROOT / "README.md").read_text()
    request = re.search(r"--data '(\{.*?\})'", readme, re.DOTALL)
    answer = re.search(r"```json\n(\{.*?\n\})\n```", readme, re.DOTALL)
    assert request
    assert answer
    with service.client() as client:
        given = client.post("/classify", json=json.loads(request[1])).raise_for_status().json()
    expected = json.loads(answer[1])
    assert given["probabilities"] == pytest.approx(expected.pop("probabilities"), abs=0.02)
    assert {key: given[key] for key in expected} == expected


@pytest.mark.shared
def test_a_paper_gets_the_same_answer_alone_in_any_batch_and_in_any_order(service: Running, shared: Path) -> None:
    _, held_out = read_papers(shared / "data/papers_validation.csv.gz")
    bodies = [{"title": paper.title, "abstract": paper.abstract} for paper in held_out.papers[:48]]
    rng = np.random.default_rng(0)
    with service.client() as client:
        alone = [client.post("/classify", json=body).raise_for_status().json() for body in bodies]
        for size in (2, 7, 48):
            order = rng.permutation(len(bodies)).tolist()
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                batch = client.post("/classify/batch", json={"papers": [bodies[i] for i in chosen]})
                for i, result in zip(chosen, batch.raise_for_status().json()["results"], strict=True):
                    assert result["labels"] == alone[i]["labels"]
                    assert result["status"] == alone[i]["status"]
                    assert result["probabilities"] == pytest.approx(alone[i]["probabilities"], abs=MOST_CHANGE)


@pytest.mark.shared
@pytest.mark.slow
def test_the_figures_over_http_are_those_of_the_card(service: Running, shared: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.served_quality", service.url]
    papers = str(shared / "data/papers_validation.csv.gz")
    found = subprocess.run([*command, papers], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
