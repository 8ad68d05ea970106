"""An artefact's quality on labelled papers: figures, slices, mistakes and the page that shows them."""

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from model_store.labels import Label, assigned
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.data.corpus import read_papers
from training.evaluation.bootstrap import HEADLINE, PER_LABEL, WeightedMetrics
from training.evaluation.evaluate import EvaluationRequest, evaluate, open_artefact
from training.evaluation.predictions import Predictions
from training.evaluation.reliability import curve, reliability
from training.evaluation.schemas import Evaluation

ARCHIVES = {"Computer Science": "cs", "Physics": "quant-ph", "Mathematics": "math"}
CONFIG = "[data.categories]\n" + "".join(f'"{name}" = ["{archive}"]\n' for name, archive in ARCHIVES.items())


def rows(count: int = 80) -> tiny.Rows:
    """Papers of several years, one too long and one without an abstract."""
    made = [row | {"date": f"{2015 + i % 4}-03-01"} for i, row in enumerate(tiny.papers(count, seed=2))]
    made[3]["ABSTRACT"] = "quantum theorem of the compiler " * 20
    made[4]["ABSTRACT"] = ""
    return made


def with_table(version: str = "1.0.0") -> dict[str, Any]:
    """The change that gives the tiny artefact a run with [data.categories]."""
    return {"provenance": builders.manifest(version).provenance.model_copy(update={"config": CONFIG})}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return builders.publish(tmp_path / "store", **with_table())


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    return tiny.write_csv(tmp_path / "papers.csv", rows())


def found(store: Store, papers: Path, output: Path) -> Evaluation:
    return evaluate(EvaluationRequest(store.open(), papers), output, threads=2)


def refusal(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> str:
    assert main(["evaluate", *arguments, "--store", str(store), "--output", str(store / "out")]) == 2
    assert not (store / "out").exists()
    return capsys.readouterr().err


def test_figures_are_those_of_scikit_learn_on_the_served_scores(store: Store, papers: Path, tmp_path: Path) -> None:
    measured = found(store, papers, tmp_path / "out")
    _, data = read_papers(tiny.write_csv(tmp_path / "plain.csv", tiny_columns(rows())))
    truth, scores = data.targets > 0, store.open().classifier().scores(data.papers)
    given = assigned(scores, [label.threshold for label in builders.LABELS])
    expected = {
        "micro_f1": metrics.f1_score(truth, given, average="micro"),
        "macro_f1": metrics.f1_score(truth, given, average="macro"),
        "mean_average_precision": metrics.average_precision_score(truth, scores, average="macro"),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(truth, scores),
        "hamming_loss": metrics.hamming_loss(truth, given),
        "subset_accuracy": metrics.accuracy_score(truth, given),
        "coverage_error": metrics.coverage_error(truth, scores),
        "cardinality_true": truth.sum(axis=1).mean(),
        "cardinality_given": given.sum(axis=1).mean(),
    }
    assert {key: figure.value for key, figure in measured.headline.items()} == pytest.approx(expected)
    for i, label in enumerate(measured.labels):
        assert label.precision.value == pytest.approx(metrics.precision_score(truth[:, i], given[:, i]))
        assert label.recall.value == pytest.approx(metrics.recall_score(truth[:, i], given[:, i]))
        assert label.average_precision.value == pytest.approx(
            metrics.average_precision_score(truth[:, i], scores[:, i])
        )
        assert label.reliability.brier == pytest.approx(metrics.brier_score_loss(truth[:, i], scores[:, i]))
        assert (label.support, label.given) == (truth[:, i].sum(), given[:, i].sum())


def test_title_thresholds_are_reported_if_there_are_any(papers: Path, tmp_path: Path) -> None:
    own, *others = builders.LABELS
    labels = (own.model_copy(update={"title_threshold": 0.25}), *others)
    measured = found(builders.publish(tmp_path / "own", labels=labels, **with_table()), papers, tmp_path / "out")
    assert [label.title_threshold for label in measured.labels] == [0.25, *(None for _ in others)]
    assert (tmp_path / "out/report.html").read_text().count("(0.250 for a title alone)") == 1


def tiny_columns(papers: tiny.Rows) -> tiny.Rows:
    return [{key: value for key, value in row.items() if key != "date"} for row in papers]


@pytest.mark.filterwarnings("ignore:.*No positive class:UserWarning")
@pytest.mark.parametrize("seed", range(8))
def test_a_resample_measures_what_scikit_learn_measures_with_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 3)) < 0.3
    # One decimal: many papers share a score.
    scores = np.round(np.clip(truth * 0.3 + rng.random((40, 3)) * 0.7, 0, 1), 1).astype(np.float32)
    given, weights = scores >= 0.5, rng.integers(0, 3, size=40).astype(float)
    truth[:, 2] &= weights == 0  # no paper with this label counts
    assert (truth.sum(axis=1) == 0)[weights > 0].any()
    measured = WeightedMetrics(predictions(truth, scores, given))(weights)
    values = dict(zip(HEADLINE, measured, strict=False))
    options = {"sample_weight": weights, "average": "micro", "zero_division": 0}
    assert values["micro_f1"] == pytest.approx(metrics.f1_score(truth, given, **options))
    assert values["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, given, sample_weight=weights))
    assert values["coverage_error"] == pytest.approx(metrics.coverage_error(truth, scores, sample_weight=weights))
    ranking = metrics.label_ranking_average_precision_score(truth, scores, sample_weight=weights)
    assert values["label_ranking_average_precision"] == pytest.approx(ranking)
    columns = measured[len(HEADLINE) :].reshape(3, len(PER_LABEL))
    for i in (0, 1):
        expected = metrics.average_precision_score(truth[:, i], scores[:, i], sample_weight=weights)
        assert columns[i, 3] == pytest.approx(expected)
    assert np.isnan(columns[2, 3])
    assert values["mean_average_precision"] == pytest.approx(columns[:2, 3].mean())


def predictions(truth: np.ndarray, scores: np.ndarray, given: np.ndarray) -> Predictions:
    nothing = np.zeros(len(truth), dtype=int)
    return Predictions(truth, scores, given, np.array(["ok"] * len(truth)), nothing, nothing > 0)


def test_calibration_by_hand() -> None:
    scores = np.repeat([0.15, 0.85], 10).astype(np.float32)
    truth = np.array([True] * 4 + [False] * 6 + [True] * 9 + [False])
    measured = reliability(truth, scores)
    assert [(part.papers, part.observed) for part in measured.bins] == [(10, 0.4), (10, 0.9)]
    assert measured.ece_equal_width == pytest.approx((10 * 0.25 + 10 * 0.05) / 20)
    assert measured.ece_equal_mass == pytest.approx(measured.ece_equal_width)  # the bins hold the same papers
    assert curve(np.zeros(3, dtype=bool), scores[:3]) == []


def test_slices_of_each_kind_hold_every_paper_once(store: Store, papers: Path, tmp_path: Path) -> None:
    measured = found(store, papers, tmp_path / "out")
    assert set(measured.slices) == {"word pieces", "truncation", "abstract", "number of labels", "year"}
    for kind, slices in measured.slices.items():
        assert sum(part.papers for part in slices) == measured.papers, kind
    assert [part.name for part in measured.slices["year"]] == ["2015", "2016", "2017", "2018"]
    assert [part.papers for part in measured.slices["truncation"]] == [1, measured.papers - 1]
    assert measured.truncated == 1
    assert sum(status.papers for status in measured.statuses) == measured.papers


def test_papers_without_labels_are_a_group(store: Store, tmp_path: Path) -> None:
    table = [*tiny.papers(20), *(row | dict.fromkeys(tiny.LABELS, 0) for row in tiny.papers(30)[20:])]
    groups = found(store, tiny.write_csv(tmp_path / "p.csv", table), tmp_path / "out").slices["number of labels"]
    assert (groups[0].name, groups[0].papers) == ("0", 10)
    assert sum(group.papers for group in groups) == 30


def test_without_a_date_there_are_no_years(store: Store, tmp_path: Path) -> None:
    papers = tiny.write_csv(tmp_path / "p.csv", tiny.papers(30))
    assert "year" not in found(store, papers, tmp_path / "out").slices


def test_confusion_counts_papers(store: Store, papers: Path, tmp_path: Path) -> None:
    measured = found(store, papers, tmp_path / "out")
    labels, confusion = measured.labels, measured.confusion
    assert [confusion.together_true[i][i] for i in range(3)] == [label.support for label in labels]
    assert [confusion.together_given[i][i] for i in range(3)] == [label.given for label in labels]
    recalls = [1 - missed / label.support for missed, label in zip(confusion.missed, labels, strict=True)]
    assert recalls == pytest.approx([label.recall.value for label in labels])


def test_mistakes_are_sorted_and_have_row_numbers(store: Store, papers: Path, tmp_path: Path) -> None:
    measured = found(store, papers, tmp_path / "out")
    with (tmp_path / "out/mistakes.csv").open(newline="") as file:
        mistakes = list(csv.DictReader(file))
    assert len(mistakes) == measured.mistakes > 0
    surprise = [abs(float(mistake["score"]) - int(mistake["given"])) for mistake in mistakes]
    assert surprise == sorted(surprise, reverse=True)
    source = rows()
    for mistake in mistakes:
        row = source[int(mistake["row"]) - 1]
        assert (mistake["title"], mistake["id"]) == (row["TITLE"], str(row["ID"]))
        assert int(mistake["given"]) == row[mistake["label"]]


def test_the_report_needs_nothing_from_elsewhere_and_holds_no_text(store: Store, papers: Path, tmp_path: Path) -> None:
    measured = found(store, papers, tmp_path / "out")
    report = (tmp_path / "out/report.html").read_text()
    assert not re.search(r"https?:|//[a-z]|<script|<link|@import|url\((?!#)", report)
    assert set(re.findall(r'(?:src|href)="(.)', report)) == {"#"}
    identifiers = re.findall(r' id="([^"]+)"', report)
    assert len(identifiers) == len(set(identifiers))
    assert report.count("<svg") >= 3 * len(measured.labels)
    numbers = (tmp_path / "out/figures.json").read_text()
    for row in rows():
        assert str(row["TITLE"]) not in report + numbers
    assert f"{measured.headline['micro_f1'].value:.3f}" in report


def test_names_in_the_report_are_escaped(tmp_path: Path) -> None:
    name = "Cats & <script>dogs</script> $\\x$"
    labels = (Label(id="cats", name=name, threshold=0.5), *builders.LABELS[1:])
    store = builders.publish(tmp_path / "store", labels=labels)
    table = [{name if key == tiny.LABELS[0] else key: value for key, value in row.items()} for row in tiny.papers(40)]
    found(store, tiny.write_csv(tmp_path / "p.csv", table), tmp_path / "out")
    report = (tmp_path / "out/report.html").read_text()
    assert "<script" not in report
    assert "Cats &amp; &lt;script&gt;" in report


def test_figures_are_the_same_when_measured_again(store: Store, papers: Path, tmp_path: Path) -> None:
    first, again = found(store, papers, tmp_path / "a"), found(store, papers, tmp_path / "b")
    assert first == again == Evaluation.model_validate_json((tmp_path / "a/figures.json").read_bytes())
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()
    figure = first.headline["micro_f1"]
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high


def test_arxiv_s_layout_is_read_by_the_table_of_the_run(store: Store, papers: Path, tmp_path: Path) -> None:
    lines = [
        {
            "id": str(row["ID"]), "title": row["TITLE"], "abstract": row["ABSTRACT"], "update_date": row["date"],
            "categories": " ".join(f"{archive}.X" for name, archive in ARCHIVES.items() if row[name]),
        }
        for row in rows()
    ]  # fmt: skip
    (tmp_path / "arxiv.jsonl").write_text("\n".join(map(json.dumps, lines)))
    one, other = found(store, papers, tmp_path / "a"), found(store, tmp_path / "arxiv.jsonl", tmp_path / "b")
    assert (one.headline, one.slices, one.labels) == (other.headline, other.slices, other.labels)


def test_an_artefact_of_categories_is_measured_by_the_categories_themselves(
    store: Store, papers: Path, tmp_path: Path
) -> None:
    categories = {"Computer Science": "cs.LG", "Physics": "quant-ph", "Mathematics": "math.CO"}
    labels = [label.model_copy(update={"name": categories[label.name]}) for label in builders.LABELS]
    finer = builders.publish(tmp_path / "finer", labels=tuple(labels), **with_table())
    lines = [
        {
            "title": row["TITLE"], "abstract": row["ABSTRACT"],
            "categories": " ".join(["cs.AI", *(categories[name] for name in categories if row[name])]),
        }
        for row in rows()
    ]  # fmt: skip
    (tmp_path / "arxiv.jsonl").write_text("\n".join(map(json.dumps, lines)))
    measured = found(finer, tmp_path / "arxiv.jsonl", tmp_path / "out")
    assert [(label.name, label.support) for label in measured.labels] == [
        (categories[label.name], label.support) for label in found(store, papers, tmp_path / "same").labels
    ]


def test_a_file_that_the_artefact_was_made_from_is_reported(papers: Path, tmp_path: Path) -> None:
    digest = evaluate(
        EvaluationRequest(builders.publish(tmp_path / "first").open(), papers), tmp_path / "out", threads=1
    ).data.sha256
    provenance = builders.manifest().provenance.model_copy(update={"data": {"old/papers.csv": {"sha256": digest}}})
    store = builders.publish(tmp_path / "second", provenance=provenance)
    assert found(store, papers, tmp_path / "out").data.part_of == "papers.csv"
    assert "took part in making" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        ('[data]\ntest = "FILE"\n', False),
        ('[data]\nheld_out = ["FILE"]\n', False),
        ('[data]\nvalidation = "FILE"\n', True),
        ('[data]\ntest = "FILE"\n[[pretrain.texts]]\npath = "FILE"\n', True),
        ('[data]\nheld_out = ["FILE"]\n[[publish]]\nname = "tiny-subjects"\nvalidation = "FILE"\n', True),
        ('[data]\nheld_out = ["FILE"]\n[[publish]]\nname = "another"\nvalidation = "FILE"\n', False),
    ],
)
def test_only_files_that_were_learned_from_are_reported(
    papers: Path, tmp_path: Path, config: str, warned: bool
) -> None:
    data = {"old/papers.csv": {"sha256": hashlib.sha256(papers.read_bytes()).hexdigest()}}
    provenance = builders.manifest().provenance.model_copy(
        update={"data": data, "config": config.replace("FILE", "old/papers.csv")}
    )
    store = builders.publish(tmp_path / "store", provenance=provenance)
    assert found(store, papers, tmp_path / "out").data.part_of == ("papers.csv" if warned else None)


def test_an_artefact_against_itself_differs_in_nothing(store: Store, papers: Path, tmp_path: Path) -> None:
    versus = evaluate(EvaluationRequest(store.open(), papers, store.open()), tmp_path / "out", threads=2).comparison
    assert versus is not None
    assert {(f.value, f.low, f.high) for f in versus.differences.values()} == {(0.0, 0.0, 0.0)}
    assert versus.only_first_right == versus.only_other_right == 0


def test_a_difference_is_one_of_figures_whatever_the_order_of_labels(
    store: Store, papers: Path, tmp_path: Path
) -> None:
    swapped = [builders.LABELS[i] for i in (2, 0, 1)]
    # The graph's columns stay: this artefact calls everything by a wrong name.
    other = builders.publish(tmp_path / "other", "2.0.0", labels=tuple(swapped))
    alone = found(other, papers, tmp_path / "alone")
    measured = evaluate(EvaluationRequest(store.open(), papers, other.open()), tmp_path / "out", threads=2)
    assert measured.comparison is not None
    difference = measured.comparison.differences["micro_f1"]
    mine, theirs = measured.headline["micro_f1"].value, alone.headline["micro_f1"].value
    assert mine is not None
    assert theirs is not None
    assert difference.value == pytest.approx(mine - theirs)
    assert difference.low is not None
    assert difference.low > 0
    assert measured.comparison.other.version == "2.0.0"
    assert "Against tiny-subjects 2.0.0" in (tmp_path / "out/report.html").read_text()


def test_the_command_prints_a_table_and_says_where_the_report_is(
    store: Store, papers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "latest", str(papers), "--store", str(store.root), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in (*tiny.LABELS, "micro_f1", str(tmp_path / "out/report.html")))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "figures.json", "mistakes.csv"}


def test_an_artefact_is_named_by_name_version_or_folder(store: Store) -> None:
    by_version, by_folder = (
        open_artefact("1.0.0", store),
        open_artefact(str(store.root / "tiny-subjects/1.0.0"), Store(Path())),
    )
    assert by_version.sha256 == by_folder.sha256 == open_artefact("latest", store).sha256
    by_name = [open_artefact(name, store) for name in ("tiny-subjects", "tiny-subjects/1.0.0")]
    assert {artefact.sha256 for artefact in by_name} == {by_version.sha256}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("TITLE,ABSTRACT,Physics\na,b,1\n", "has no label column 'Computer Science'; its columns are TITLE, ABSTRACT"),
        ("TITLE,ABSTRACT,Computer Science,Physics,Mathematics\na,b,1,maybe,0\n", "row 1, column 'Physics'"),
        ("TITLE,ABSTRACT,Computer Science,Physics,Mathematics\n", "has no rows"),
        ("title,abstract,categories\na,b,cs.LG\n", "has no [data.categories] to read it by"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, said: str
) -> None:
    (tmp_path / "p.csv").write_text(table)
    store = builders.publish(tmp_path / "store")
    assert said in refusal(capsys, store.root, "latest", str(tmp_path / "p.csv"))


def test_a_broken_artefact_is_refused(store: Store, papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no artefact of version '7.0.0'" in refusal(capsys, store.root, "7.0.0", str(papers))
    graph = store.root / "tiny-subjects/1.0.0/model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    assert "truncated or changed" in refusal(capsys, store.root, "1.0.0", str(papers))


def test_artefacts_with_other_labels_are_not_compared(
    store: Store, papers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = (Label(id="alchemy", name="Alchemy", threshold=0.5), *builders.LABELS[1:])
    other = builders.publish(tmp_path / "other", labels=labels)
    said = refusal(capsys, store.root, "latest", str(papers), "--against", str(other.root / "tiny-subjects/1.0.0"))
    assert "artefacts with other labels cannot be compared" in said


def test_a_paper_without_text_is_left_out_and_counted(store: Store, tmp_path: Path) -> None:
    table = [*tiny.papers(2), tiny.papers(3)[2] | {"TITLE": "\u200b", "ABSTRACT": ""}]
    data = found(store, tiny.write_csv(tmp_path / "p.csv", table), tmp_path / "out").data
    assert (data.counts["empty"], data.counts["kept"]) == (1, 2)


def test_a_title_alone_is_told_from_one_with_an_abstract(store: Store, papers: Path, tmp_path: Path) -> None:
    by_abstract = found(store, papers, tmp_path / "out").slices["abstract"]
    assert [(part.name, part.papers) for part in by_abstract] == [("with abstract", 79), ("title alone", 1)]
