"""Thresholds, decisions and the uncertain rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.labels import Label, UncertainRule, assigned, closeness, decide, label_ids, slug

RULE = UncertainRule(margin=0.3, share=0.1, error_rate_uncertain=0.5, error_rate_ok=0.1)
LABELS = [Label(id=f"l{i}", name=f"L{i}", threshold=threshold) for i, threshold in enumerate((0.5, 0.2, 0.7))]
SCORES = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3).map(np.array)


def test_labels_at_or_above_their_threshold_are_assigned_most_probable_first() -> None:
    decision = decide(np.array([0.5, 0.9, 0.1]), LABELS, RULE.model_copy(update={"margin": 0.0}))
    assert decision.labels == (1, 0)
    assert decision.status == "ok"


def test_a_paper_without_a_label_is_uncertain() -> None:
    assert decide(np.array([0.01, 0.01, 0.01]), LABELS, RULE) == ((), "uncertain")


def test_a_close_call_is_uncertain() -> None:
    assert decide(np.array([0.99, 0.21, 0.01]), LABELS, RULE) == ((0, 1), "uncertain")


def test_a_score_of_exactly_one_is_no_close_call() -> None:
    assert decide(np.array([1.0, 0.0, 0.0]), LABELS, RULE) == ((0,), "ok")


@given(SCORES)
def test_a_label_is_assigned_if_and_only_if_it_meets_its_own_threshold(scores: np.ndarray) -> None:
    decision = decide(scores, LABELS, RULE)
    assert set(decision.labels) == {i for i, label in enumerate(LABELS) if scores[i] >= label.threshold}


@given(SCORES)
def test_a_paper_is_uncertain_if_and_only_if_it_has_no_label_or_a_close_call(scores: np.ndarray) -> None:
    close = closeness(scores, [label.threshold for label in LABELS]) < RULE.margin
    decision = decide(scores, LABELS, RULE)
    assert (decision.status == "uncertain") == (not decision.labels or bool(close))


def test_several_papers_are_assigned_the_same_labels_as_one_by_one() -> None:
    scores = np.array([[0.5, 0.1, 0.9], [0.1, 0.3, 0.2]])
    assert assigned(scores, [0.5, 0.2, 0.7]).tolist() == [[True, False, True], [False, True, False]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Quantitative Biology", "quantitative-biology"),
        ("C++ & más", "c-mas"),
        ("Straße", "strasse"),
        ("Ökonomie", "okonomie"),
        ("数学", "u6570u5b66"),
        ("β-decay", "beta-decay"),
        ("Жизнь", "zheizeen"),
        ("cs.LG", "cs-lg"),
        ("½ spin", "1-2-spin"),
        ("—", "label"),
        ("a" * 300, "a" * 100),
    ],
)
def test_a_slug_is_made_of_lower_case_words(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["C", "C++", "C#"], ["c", "c-2", "c-3"]),
        (["C", "C++", "c-2"], ["c", "c-2", "c-2-2"]),
        (["Física", "Fisica"], ["fisica", "fisica-2"]),
        (["物理学", "化学", "数学"], ["u7269u7406u5b66", "u5316u5b66", "u6570u5b66"]),
        (["x" * 250 + "a", "x" * 250 + "b"], ["x" * 100, "x" * 100 + "-2"]),
    ],
)
def test_labels_of_similar_names_get_ids_of_their_own(names: list[str], ids: list[str]) -> None:
    assert label_ids(names) == ids
    assert [Label(id=id_, name=name, threshold=0.5).id for id_, name in zip(ids, names, strict=True)] == ids


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=20, unique=True))
def test_ids_are_unique_and_valid_whatever_the_names(names: list[str]) -> None:
    ids = label_ids(names)
    assert len({Label(id=id_, name="a", threshold=0.5).id for id_ in ids}) == len(names)


def test_a_label_may_have_a_title_a_parent_and_a_uri() -> None:
    label = Label(
        id="cs.LG", name="cs.LG", title="Machine Learning", parent="cs", threshold=0.3, few_papers=True,
        uri="https://arxiv.org/list/cs.LG",
    )  # fmt: skip
    assert Label.model_validate_json(label.model_dump_json()) == label
    with pytest.raises(ValueError, match="uri"):
        Label(id="a", name="a", threshold=0.5, uri="no uri")


def test_a_title_alone_has_thresholds_of_its_own() -> None:
    labels = [LABELS[0].model_copy(update={"title_threshold": 0.3}), *LABELS[1:]]
    scores = np.array([0.4, 0.01, 0.01])
    rule = RULE.model_copy(update={"margin": 0.0})
    assert decide(scores, labels, rule) == ((), "uncertain")
    assert decide(scores, labels, rule, title_only=True) == ((0,), "ok")
    assert decide(scores, LABELS, rule, title_only=True) == ((), "uncertain")


def test_out_of_scope_comes_before_uncertain_and_keeps_the_labels() -> None:
    assert decide(np.array([0.01, 0.01, 0.01]), LABELS, RULE, out_of_scope=True) == ((), "out_of_scope")
    assert decide(np.array([0.99, 0.21, 0.01]), LABELS, RULE, out_of_scope=True) == ((0, 1), "out_of_scope")
