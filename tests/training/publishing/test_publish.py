"""One fitted network gives several artefacts: with exits, cut after one of them, and of its finer categories."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from sklearn.metrics import f1_score

from model_store.artefact import Artefact
from model_store.manifest import Manifest
from model_store.papers import Paper
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.data.corpus import read_papers
from training.publishing.edition import label_of_category

WORDS = ("quantum", "theorem", "network", "algebra")


class Published(NamedTuple):
    """What a run has left."""

    folder: Path
    store: Store

    def open(self, name: str) -> Artefact:
        return self.store.open(name)


def with_categories(path: Path, count: int, seed: int) -> Path:
    """Papers in arXiv's layout; the words of an abstract are its categories, of which only some are learned."""
    rows = [
        {"title": row["TITLE"], "abstract": row["ABSTRACT"], "categories": row["ABSTRACT"]}
        for row in tiny.papers(count, seed)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    categories = with_categories(folder / "categories.jsonl", 60, seed=5)
    test = tiny.write_csv(folder / "test.csv", tiny.papers(40, seed=7))
    config = tiny.config(
        folder,
        epochs=8,
        within={"data": f"test = {json.dumps(str(test))}"},
        extra=f"""
[exits]
layers = [1]
micro_f1_loss = 0.02
[auxiliary]
column = "ABSTRACT"
fewest = 30
[ngrams]
buckets = 256
[[publish]]
name = "tiny-small"
version = "0.2.0"
cut_after = 1
max_tokens = 24
[[publish]]
name = "tiny-words"
version = "0.3.0"
labels = "categories"
validation = {json.dumps(str(categories))}
test = {json.dumps(str(categories))}
""",
    )
    store = folder / "store"
    assert main(["run", str(config), "--runs", str(folder / "runs"), "--store", str(store)]) == 0
    return Published(folder, Store(store))


def layers(artefact: Artefact) -> list[int]:
    """The encoder layers of each ONNX file, in the order of the exits."""
    files = [exit_.file for exit_ in artefact.manifest.exits] or ["model.onnx"]
    graphs = [onnx.load_model_from_string(artefact.files[name]).graph for name in files]
    return [sum(node.op_type == "MultiHeadAttention" for node in graph.node) for graph in graphs]


def test_papers_exit_early_without_loss_of_quality(published: Published) -> None:
    artefact = published.open("tiny")
    first, last = artefact.manifest.exits
    assert (first.layer, last.layer, layers(artefact)) == (1, 2, [1, 1])
    assert first.share + last.share == pytest.approx(1)
    _, papers = read_papers(published.folder / "validation.csv.gz")
    classifier = artefact.classifier()
    at = [classifier.classify(paper).output.layer for paper in papers.papers]
    assert set(at) == {1, 2}
    assert builders.figures(artefact.manifest).micro_f1 > 0.9
    # The distance comes with the first part, so that no paper leaves without it.
    assert all(classifier.classify(paper).output.distance is not None for paper in papers.papers)


@pytest.mark.parametrize("name", ["tiny", "tiny-small", "tiny-words"])
def test_each_artefact_reproduces_its_golden_scores(published: Published, name: str) -> None:
    artefact = published.open(name)
    assert artefact.golden().replay(artefact.classifier()) < 1e-4


def test_the_figures_are_those_of_the_served_scores(published: Published) -> None:
    for name, file in (("tiny", "validation.csv.gz"), ("tiny-small", "validation.csv.gz")):
        manifest, classifier = published.open(name).manifest, published.open(name).classifier()
        _, papers = read_papers(published.folder / file)
        assert micro_f1(manifest, classifier.scores(papers.papers), papers.targets) == pytest.approx(
            builders.figures(manifest).micro_f1
        )


def test_test_papers_are_reported_beside_validation_papers(published: Published) -> None:
    manifest = published.open("tiny").manifest
    _, papers = read_papers(published.folder / "test.csv")
    assert manifest.test is not None
    assert manifest.test.papers == 40
    scores = published.open("tiny").classifier().scores(papers.papers)
    assert manifest.test.micro_f1 == pytest.approx(micro_f1(manifest, scores, papers.targets))
    assert "40 test papers" in published.open("tiny").card()
    for name, exits in (("tiny", ", early exits"), ("tiny-small", "")):
        assert f"for the best F1 of each label{exits} and calibration" in published.open(name).card()


def test_files_that_an_artefact_was_made_from_are_in_its_manifest(published: Published) -> None:
    path = published.folder / "categories.jsonl"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    facts = published.open("tiny-words").manifest.provenance.data[str(path)]
    assert facts == {"sha256": digest, "used for": "thresholds and calibration"}
    assert f"- `{path}`: used for thresholds and calibration" in published.open("tiny-words").card()
    assert str(path) not in published.open("tiny").manifest.provenance.data


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_papers_without_abstract_are_measured_as_they_are_served(tmp_path: Path) -> None:
    test = tiny.write_csv(tmp_path / "test.csv", without_abstracts(tiny.papers(40, seed=7)))
    within = {"data": f"test = {json.dumps(str(test))}", "fit": "titles_alone = 0.3"}
    path = tiny.config(tmp_path, epochs=8, within=within, extra="[exits]\nlayers = [1]\nmicro_f1_loss = 0.02\n")
    validation = tiny.write_csv(tmp_path / "validation.csv.gz", without_abstracts(tiny.papers(60, seed=1)))
    assert main(["run", str(path), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0
    artefact = Store(tmp_path / "store").open()
    for file, figures in ((validation, artefact.manifest.quality), (test, artefact.manifest.test)):
        _, papers = read_papers(file)
        results = [artefact.classifier().classify(paper) for paper in papers.papers]
        assert {result.output.layer for result in results if result.encoding.title_only} == {1, 2}
        given = np.array([[i in result.decision.labels for i in range(3)] for result in results])
        assert figures is not None
        assert figures.micro_f1 == pytest.approx(f1_score(papers.targets, given, average="micro"))


def without_abstracts(rows: tiny.Rows) -> tiny.Rows:
    """The papers, of which every second one loses its abstract."""
    return [row | {"ABSTRACT": row["ABSTRACT"] if i % 2 else ""} for i, row in enumerate(rows)]


def test_a_cut_network_has_one_layer_and_no_exits_and_reads_less(published: Published) -> None:
    artefact = published.open("tiny-small")
    assert [published.open(name).manifest.input.max_tokens for name in ("tiny", "tiny-small")] == [32, 24]
    assert artefact.manifest.exits == ()
    assert layers(artefact) == [1]
    assert builders.figures(artefact.manifest).micro_f1 > 0.9


def test_categories_are_labels_of_an_artefact_of_their_own(published: Published) -> None:
    artefact = published.open("tiny-words")
    names = [label.name for label in artefact.manifest.labels]
    assert set(WORDS) <= set(names)
    papers = [Paper(word, " ".join([word] * 8)) for word in ("quantum", "theorem")]
    quantum, theorem = artefact.classifier().scores(papers)[:, names.index("quantum")]
    assert quantum > theorem
    assert artefact.manifest.test is not None
    for figure in (artefact.manifest.test.primary_first, artefact.manifest.test.primary_among_five):
        assert figure is not None
    assert builders.figures(artefact.manifest).baseline is None


def test_only_the_artefact_of_categories_has_the_model_of_word_pieces_and_pairs(published: Published) -> None:
    for name, expected in (("tiny", False), ("tiny-small", False), ("tiny-words", True)):
        nodes = onnx.load_model_from_string(published.open(name).files["model.onnx"]).graph.node
        assert any("ngrams" in node.name for node in nodes) == expected


def test_a_published_artefact_stops_the_whole_run_unless_another_one_is_named(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["publish", str(published.folder / "run.toml"), "--runs", str(published.folder / "runs")]
    assert main([*arguments, "--store", str(published.folder / "store"), "--artefact", "tiny-small"]) == 2
    assert main([*arguments, "--store", str(tmp_path), "--artefact", "other"]) == 2
    assert "no artefact 'other'; it has tiny, tiny-small, tiny-words" in capsys.readouterr().err
    assert main([*arguments, "--store", str(tmp_path), "--artefact", "tiny-small"]) == 0
    assert Store(tmp_path).names() == ["tiny-small"]


def test_arxiv_categories_have_titles_and_archives() -> None:
    label = label_of_category("stat.ML")
    assert (label.id, label.name, label.title, label.parent) == (
        "stat.ML", "stat.ML", "Machine Learning (Statistics)", "Statistics",
    )  # fmt: skip
    assert label_of_category("Über uns").id == "uber-uns"


def micro_f1(manifest: Manifest, scores: np.ndarray, targets: np.ndarray) -> float:
    given = scores >= np.array([label.threshold for label in manifest.labels])
    return float(2 * (given & (targets > 0)).sum() / (given.sum() + targets.sum()))
