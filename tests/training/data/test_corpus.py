"""Labels, cleaning and the split."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_store.papers import Paper
from tests.training import tiny
from training.config import AuxiliaryConfig, DataConfig, Source
from training.data.corpus import Corpus, read_corpus
from training.errors import DataError

CATEGORIES = {"Computer Science": ("cs", "cmp-lg"), "Physics": ("quant-ph", "hep-th"), "Mathematics": ("math",)}


def read(train: Path, validation: Path | None = None, **options: Any) -> Corpus:
    return read_corpus(DataConfig(train=(Source(path=train),), validation=validation, **options), seed=1)


def paper(title: str, abstract: str = "b", **labels: int) -> dict[str, object]:
    return {"ID": 1, "TITLE": title, "ABSTRACT": abstract, "X": 1, "Y": 1} | labels


def test_columns_become_labels_in_their_order(tmp_path: Path) -> None:
    corpus = read(tiny.write_csv(tmp_path / "t.csv", tiny.papers(80)))
    assert corpus.labels == tiny.LABELS
    assert corpus.train.targets.shape == (70, 3)
    assert corpus.train.targets.dtype == np.float32


def test_named_labels_leave_other_columns_alone(tmp_path: Path) -> None:
    rows = [row | {"Year": 2020 + i} for i, row in enumerate(tiny.papers(60))]
    corpus = read(tiny.write_csv(tmp_path / "t.csv", rows), labels=("Physics", "Mathematics"))
    assert corpus.labels == ("Physics", "Mathematics")


def test_a_label_without_a_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no label column 'Alchemy'; its columns are ID, TITLE"):
        read(tiny.write_csv(tmp_path / "t.csv", tiny.papers(5)), labels=("Physics", "Alchemy"))


def test_arxiv_s_own_layout_gets_labels_from_any_category(tmp_path: Path) -> None:
    lines = [
        {"id": "1", "title": "a", "abstract": "x", "categories": "cs.LG stat.ML math.CO"},
        {"id": "2", "title": "b", "abstract": "x", "categories": "quant-ph"},
        {"id": "3", "title": "c", "abstract": "x", "categories": "cmp-lg hep-th"},
        {"id": "4", "title": "d", "abstract": "x", "categories": "econ.EM"},
    ]
    (tmp_path / "arxiv.jsonl").write_text("\n".join(map(json.dumps, lines)))
    validation = tmp_path / "v.jsonl"
    validation.write_text(json.dumps({"id": "9", "title": "v", "abstract": "x", "categories": "cs.AI math.PR hep-th"}))
    corpus = read(tmp_path / "arxiv.jsonl", validation, categories=CATEGORIES)
    assert corpus.labels == tuple(CATEGORIES)
    assert corpus.train.targets.tolist() == [[1, 0, 1], [0, 1, 0], [1, 1, 0]]
    assert corpus.report[str(tmp_path / "arxiv.jsonl")]["unlabelled"] == 1


def test_arxiv_s_layout_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": "a", "abstract": "x", "categories": "cs.LG"}))
    with pytest.raises(DataError, match=r"say in \[data.categories\]"):
        read(tmp_path / "a.jsonl")


def test_a_smaller_share_of_the_training_papers_lies_within_a_larger_one(tmp_path: Path) -> None:
    path = tiny.write_csv(tmp_path / "t.csv", tiny.papers(400))
    shares = {share: read(path, share=share) for share in (0.02, 0.1, 0.5, 1.0)}
    assert [len(corpus.train) for corpus in shares.values()] == [7, 35, 175, 350]
    papers = [set(corpus.train.papers) for corpus in shares.values()]
    assert papers[0] < papers[1] < papers[2] < papers[3]
    assert len({tuple(corpus.validation.papers) for corpus in shares.values()}) == 1


def test_the_smallest_share_with_room_for_every_label_has_them_all(tmp_path: Path) -> None:
    rows = [paper(f"t{i}", X=1, Y=0) for i in range(199)] + [paper("rare", X=0, Y=1)]
    validation = tiny.write_csv(tmp_path / "v.csv", [paper("v")])
    path = tiny.write_csv(tmp_path / "t.csv", rows)
    assert read(path, validation, share=0.01).train.targets.sum(axis=0).tolist() == [1, 1]
    with pytest.raises(DataError, match="has no positive row among the 1 training papers"):
        read(path, validation, share=0.001)


def arxiv(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Papers in arXiv's layout from (title, categories, date)."""
    lines = [{"title": t, "abstract": "x", "categories": c, "update_date": d} for t, c, d in rows]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_papers_are_chosen_by_date_and_by_rare_label(tmp_path: Path) -> None:
    path = arxiv(
        tmp_path / "a.jsonl",
        [
            ("new", "cs.X", "2020-01-01"), ("old", "cs.X", "2010-01-01"), ("old and rare", "math.X", "2010-01-01"),
            ("also new", "math.X hep-th", "2021-01-01"),
        ],
    )  # fmt: skip
    sources = (Source(path=path, since="2015-01-01"), Source(path=path, until="2015-01-01", having=("Mathematics",)))
    validation = arxiv(tmp_path / "v.jsonl", [("held out", "math.X hep-th cs.X", "2020-01-01")])
    corpus = read_corpus(DataConfig(train=sources, validation=validation, categories=CATEGORIES), seed=1)
    assert [paper.title for paper in corpus.train.papers] == ["new", "also new", "old and rare"]
    assert corpus.report[f"{path}#2"]["other_labels"] == 1


@pytest.mark.parametrize("first", [{"sample": 10}, {"most_per_category": 10}])
def test_a_paper_that_was_read_but_not_drawn_is_no_duplicate_in_a_later_section(
    tmp_path: Path, first: dict[str, int]
) -> None:
    titles = [f"paper {i}" for i in range(40)]
    again = [title.upper() for title in titles]  # duplicates within the file, whether the first copy is drawn or not
    path = arxiv(tmp_path / "a.jsonl", [(title, "cs.X hep-th math.X", "2020-01-01") for title in titles + again])
    validation = arxiv(tmp_path / "v.jsonl", [("held out", "math.X hep-th cs.X", "2020-01-01")])
    sources = (Source(path=path, **first), Source(path=path))
    corpus = read_corpus(DataConfig(train=sources, validation=validation, categories=CATEGORIES), seed=1)
    assert sorted(paper.title.lower() for paper in corpus.train.papers) == sorted(titles)
    drawn, later = (corpus.report[name]["kept"] for name in (str(path), f"{path}#2"))
    assert (0 < int(drawn) < 40, int(drawn) + int(later)) == (True, 40)


def test_finer_categories_are_targets_of_their_own(tmp_path: Path) -> None:
    rows = [("a", "cs.A math.A", "2020"), ("b", "cs.A hep-th", "2020"), ("c", "cs.B math.A hep-th", "2020")]
    known = arxiv(tmp_path / "known.jsonl", rows)
    validation = arxiv(tmp_path / "v.jsonl", [("held out", "math.X hep-th cs.X", "2020")])
    unknown = tiny.write_csv(tmp_path / "u.csv", [{"TITLE": "d", "ABSTRACT": "e", **dict.fromkeys(CATEGORIES, 1)}])
    data = DataConfig(
        train=(Source(path=known), Source(path=unknown)), validation=validation, categories=CATEGORIES,
        labels=tuple(CATEGORIES),
    )  # fmt: skip
    corpus = read_corpus(data, seed=1, auxiliary=AuxiliaryConfig(fewest=2))
    assert corpus.train.categories is not None
    assert corpus.train.categories[:3].tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 1]]  # cs.A, hep-th, math.A
    assert np.isnan(corpus.train.categories[3]).all()
    with pytest.raises(DataError, match="no category in column 'categories' has 9 training papers"):
        read_corpus(data, seed=1, auxiliary=AuxiliaryConfig(fewest=9))


def test_cleaning_is_counted(tmp_path: Path) -> None:
    rows = [
        paper("kept"), paper("Kept  ", " B"), paper("", " "), paper("no label", X=0, Y=0), paper("in validation"),
        paper("also kept", ""), paper("n/a", "<jats:p> </jats:p>"),
    ]  # fmt: skip
    train = tiny.write_csv(tmp_path / "t.csv", rows)
    validation = tiny.write_csv(tmp_path / "v.csv", [paper("in validation")])
    corpus = read(train, validation, keep_unlabelled=False)
    assert corpus.train.papers == [Paper("kept", "b"), Paper("also kept", "")]
    counts = {key: value for key, value in corpus.report[str(train)].items() if key != "sha256"}
    assert {key: count for key, count in counts.items() if count} == {
        "rows": 7, "empty": 2, "unlabelled": 1, "duplicates": 2, "kept": 2,
    }  # fmt: skip


def test_training_and_validation_papers_are_disjoint_and_seeded(tmp_path: Path) -> None:
    path = tiny.write_csv(tmp_path / "t.csv", tiny.papers(80))
    first, again = read(path), read(path)
    assert first.validation.papers == again.validation.papers
    assert not set(first.validation.papers) & set(first.train.papers)
    assert len(first.validation) + len(first.train) == 80


def test_a_sample_is_drawn_after_cleaning_and_by_date(tmp_path: Path) -> None:
    rows = [{**row, "update_date": f"20{10 + i % 10}-01-01"} for i, row in enumerate(tiny.papers(60))]
    path = tmp_path / "t.jsonl"
    categories = ("cs.X", "hep-th", "math.X")
    lines = [{**{k.lower(): v for k, v in row.items()}, "categories": " ".join(categories)} for row in rows]
    path.write_text("\n".join(map(json.dumps, lines)))
    source = Source(path=path, since="2015-01-01", sample=20)
    corpus = read_corpus(DataConfig(train=(source,), validation_share=0.1, categories=CATEGORIES), seed=1)
    assert corpus.report[str(path)]["older"] == 30
    assert len(corpus.train) + len(corpus.validation) == 20


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"ID": 1, "Heading": "a", "X": 1}],
            "neither a column of titles nor one of abstracts; its columns are 'ID', 'Heading', 'X'",
        ),
        ([{"ID": 1, "TITLE": "a", "ABSTRACT": "b"}], "has no label columns"),
        ([paper("a"), paper("b", X=2)], r"row 2, column 'X': holds '2', expected 0 or 1"),
        ([paper("a", Y="")], "row 1, column 'Y': is blank, expected 0 or 1; if blank means 0, say so"),  # type: ignore[arg-type]
        ([paper("a", Y="perhaps")], "column 'Y': holds 'perhaps'"),  # type: ignore[arg-type]
        ([paper(str(i), Y=0) for i in range(20)], "label 'Y' has no positive row"),
    ],
)
def test_a_bad_table_is_named_with_row_and_column(tmp_path: Path, rows: tiny.Rows, said: str) -> None:
    path = tiny.write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(DataError, match=said):
        read(path)


def test_other_labels_in_the_validation_file_are_an_error(tmp_path: Path) -> None:
    train = tiny.write_csv(tmp_path / "t.csv", [paper("a")])
    validation = tiny.write_csv(tmp_path / "v.csv", [paper("b", Z=1)])
    with pytest.raises(DataError, match=r"v\.csv: labels differ .*unknown \['Z'\]"):
        read(train, validation)


def test_a_run_without_training_papers_says_where_they_went(tmp_path: Path) -> None:
    path = tiny.write_csv(tmp_path / "t.csv", tiny.papers(20))
    with pytest.raises(DataError, match=r"no training paper is left \(.*t\.csv#2: rows 20, duplicates 20\)"):
        read(path, path)


def test_labels_may_stand_in_another_order_in_the_validation_file(tmp_path: Path) -> None:
    train = tiny.write_csv(tmp_path / "t.csv", [paper("a", Y=0), paper("b")])
    swapped: dict[str, object] = {"TITLE": "c", "ABSTRACT": "d", "Y": 1, "X": 1}
    corpus = read(train, tiny.write_csv(tmp_path / "v.csv", [swapped]))
    assert corpus.labels == ("X", "Y")
    assert corpus.validation.targets.tolist() == [[1, 1]]


def test_papers_without_labels_are_negatives_of_own_labels(tmp_path: Path) -> None:
    rows = [paper(f"t{i}", X=int(i < 40), Y=int(i % 3 == 0)) for i in range(120)]
    path = tiny.write_csv(tmp_path / "t.csv", rows)
    kept, left_out = read(path), read(path, keep_unlabelled=False)
    without = sum(not (row["X"] or row["Y"]) for row in rows)
    assert len(kept.train) + len(kept.validation) == 120
    assert len(left_out.train) + len(left_out.validation) == 120 - without
    assert (kept.validation.targets.sum(axis=1) == 0).any()


def test_one_label_is_learned_from_papers_with_and_without_it(tmp_path: Path) -> None:
    rows: tiny.Rows = [{"title": f"t{i}", "included": int(i % 10 == 0)} for i in range(160)]
    corpus = read(tiny.write_csv(tmp_path / "t.csv", rows))
    assert corpus.train.targets.sum(axis=0).tolist() == [14]
    assert corpus.validation.targets.sum(axis=0).tolist() == [2]
    with pytest.raises(DataError, match="every training paper has the only label, 'included'; papers without it"):
        read(tmp_path / "t.csv", keep_unlabelled=False)


def test_test_papers_are_in_no_other_part(tmp_path: Path) -> None:
    train = tiny.write_csv(tmp_path / "t.csv", [paper(f"t{i}") for i in range(20)])
    validation = tiny.write_csv(tmp_path / "v.csv", [paper(f"t{i}") for i in range(3, 8)])
    test = tiny.write_csv(tmp_path / "x.csv", [paper("T3 "), paper("unseen"), paper("t19", " B")])
    corpus = read(train, validation, test=test)
    assert corpus.test is not None
    together = (corpus.train, corpus.validation, corpus.test)
    parts = [{paper.title.strip().lower() for paper in part.papers} for part in together]
    assert parts[2] == {"t3", "unseen", "t19"}
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert corpus.report[str(validation)]["in_test"] == 1
    assert corpus.report[str(train)]["in_test"] == 2


def test_withdrawal_notices_are_validated_on_but_not_trained_on(tmp_path: Path) -> None:
    notice = "This paper has been withdrawn by the author due to an error in section 2."
    train = tiny.write_csv(tmp_path / "t.csv", [paper("a"), paper("b", notice)])
    validation = tiny.write_csv(tmp_path / "v.csv", [paper("c"), paper("d", notice)])
    corpus = read(train, validation)
    assert (len(corpus.train), len(corpus.validation)) == (1, 2)
    assert corpus.report[str(train)]["withdrawn"] == 1


def test_labels_without_examples_are_named_all_at_once(tmp_path: Path) -> None:
    rows = [paper(str(i), X=0, Y=0, Z=1) for i in range(20)]
    with pytest.raises(DataError, match="labels 'X', 'Y' have no positive row among the 18 training papers"):
        read(tiny.write_csv(tmp_path / "t.csv", rows))


def test_a_sample_of_a_long_file_is_drawn_while_it_is_read(tmp_path: Path) -> None:
    """The texts of all rows together would take three times the memory that is allowed here."""
    path = tmp_path / "snapshot.jsonl"
    abstract = "We follow a stone down a slope and record where it rests. " * 20
    with path.open("w") as file:
        for i in range(6_000):
            row = {"title": f"On stone {i}", "abstract": f"{i} {abstract}", "update_date": f"20{10 + i % 10}-01-01"}
            file.write(json.dumps(row | {"categories": ("cs.X", "math.X hep-th")[i % 2]}) + "\n")
    source = Source(path=path, sample=100, since="2012-01-01")
    tracemalloc.start()
    corpus = read_corpus(DataConfig(train=(source,), categories=CATEGORIES), seed=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(corpus.train) + len(corpus.validation) == 100
    assert most < 2.5e6


@pytest.mark.parametrize("rows", [[paper("n/a", "")], [paper("none", X=0, Y=0)]], ids=["empty", "no positive"])
def test_test_papers_that_cannot_be_measured_are_refused(tmp_path: Path, rows: tiny.Rows) -> None:
    train = tiny.write_csv(tmp_path / "t.csv", [paper("a")])
    validation, test = tiny.write_csv(tmp_path / "v.csv", [paper("v")]), tiny.write_csv(tmp_path / "test.csv", rows)
    with pytest.raises(DataError, match=r"none of the [01] test papers has a label .*test\.csv: rows 1"):
        read(train, validation, test=test)


def test_papers_that_nothing_is_learned_from_are_all_listed(tmp_path: Path) -> None:
    names = ("train", "validation", "test", "held out")
    files = {name: tiny.write_csv(tmp_path / f"{name}.csv", [paper(f"{name} {i}") for i in range(3)]) for name in names}
    corpus = read(
        files["train"], files["validation"], test=files["test"], held_out=(files["held out"],), validation_sample=1
    )
    assert {found.title for found in corpus.held_out} == {f"{name} {i}" for name in names[1:] for i in range(3)}
