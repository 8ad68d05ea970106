"""The "plain-text" preparation: what PDF files, databases and spreadsheets make of a text."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.papers import InputFormat, Paper, PaperEncoder
from model_store.text import Change, PlainText, is_placeholder, is_withdrawn
from tests import builders

LIMIT = 100_000
WORDS = frozenset({"classification", "different", "network", "two", "dimensional", "well", "known"})


def plain(text: str) -> str:
    return PlainText(WORDS.__contains__)(text).content


def changes(text: str) -> set[Change]:
    return set(PlainText(WORDS.__contains__)(text).changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eﬃcient classiﬁcation", "efficient classification"),
        ("Ｆｕｌｌ ｗｉｄｔｈ：１", "Full width:1"),
        ("𝑚𝑎𝑡ℎ", "math"),
        ("cafe\u0301", "café"),
        ("Poincar´e and Schr¨odinger", "Poincare and Schrodinger"),
        ("soft\u00adhyphen", "softhyphen"),
        ("soft\u00ad\nhyphen", "softhyphen"),
        ("zero\u200bwidth\ufeff and \u202bdirection\u202c", "zerowidth and direction"),
        ("Ef\x00cient\x07 bell", "Ef cient bell"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("lost \ufffd letter", "lost letter"),
        ("a\u00a0b\u2003c\n\nd", "a b c d"),
        ("naïve Müller", "naïve Müller"),
    ],
)
def test_characters_become_those_that_a_vocabulary_holds(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("classi-\nfication", "classification"),
        ("classi-\r\n  fication", "classification"),
        ("classi‐\nfication", "classification"),
        ("hypergeo-\nmetric", "hypergeometric"),
        ("two-\ndimensional", "two- dimensional"),
        ("net- work", "network"),
        ("pre- and post-processing", "pre- and post-processing"),
        ("pre-\nand post-processing", "pre- and post-processing"),
        ("micro- or nanoscale", "micro- or nanoscale"),
        ("Bose-\nEinstein", "Bose- Einstein"),
        ("range 2-\n3", "range 2- 3"),
        ("a - b", "a - b"),
    ],
)
def test_words_broken_at_line_ends_are_joined(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    "text",
    ["$\\alpha_{i} < \\beta^2$ and \\emph{this}", "\\'etale, Erd\\H{o}s", "x ~ y ^ 2 ` ' \"", "50% of #3 & more"],
)
def test_latex_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text
    assert changes(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "...", "…", "—", "?", "[No abstract available]", "nan", "NaN", "N/A", "n.a.", "None", "null",
        "No abstract.", "Abstract not available", "ABSTRACT UNAVAILABLE", "#NAME?", "#N/A", "(no abstract provided)",
        "There is no abstract available for this article.", "Abstract",
        "(Abstract not available from this source)", "The abstract of this article is not available.",
        "Kein Abstract verfügbar", "This article does not have an abstract.", "This record has no abstract",
        "An abstract is not available for this content.", "Abstract text not available", "[Abstract withheld]",
        "None available.", "Not provided", "Kein Abstract vorhanden", "Résumé indisponible", "暂无摘要", "抄録なし",
        "초록 없음", "Аннотация отсутствует", "[No author abstract]", "Sin resumen disponible",
        "Publisher: Abstract available from the publisher.",
        "An abstract is not available for this content so a preview has been provided. Please use the Get access link "
        "above for information on how to access this content.",
    ],
)  # fmt: skip
def test_placeholders_count_as_no_text(text: str) -> None:
    assert is_placeholder(text)
    assert plain(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "No abstract nonsense: a polemic", "Nano", "Abstract interpretation of programs", "The unknown", "$\\pi$", "水",
        "Missing data in cohort studies", "This paper has no abstract nonsense", "None available vaccines",
        "No abstract harmonic analysis without groups", "C#", "No author abstracts them",
        "Abstract available publishers",
    ],
)  # fmt: skip
def test_short_texts_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "This paper has been withdrawn by the author because of an error in the proof.",
        "This article is temporarily withdrawn and will be modified.",
        "The paper was withdrawn due to a crucial error.",
        "Paper withdrawn", "WITHDRAWN: a study", "[Retracted] A study", "Retraction Note: A study",
        "RETRACTED ARTICLE: a study", "A study of things (withdrawn)", "withdrawn by the authors.",
        "We prove it. This submission\nhas been withdrawn by arXiv administrators.",
        "The above article has been retracted by agreement between the editor and the publisher.",
        "The authors have withdrawn this manuscript.", "We have withdrawn this paper because of an error.",
        "The publisher has retracted this article.", "The Editor-in-Chief has retracted this article.",
        'Retraction notice to "A study"', "Retraction of: A study", "Retraction Note to: A study",
        "RETRACTION STATEMENT: A study", "[This retracts the article DOI: 10.1234/x.]",
        "Statement of Retraction: A study", "A study (Retracted article. See vol. 3, 2020)",
    ],
)  # fmt: skip
def test_notices_of_withdrawal_are_recognized(text: str) -> None:
    assert is_withdrawn("A title", text)


@pytest.mark.parametrize(
    "text",
    [
        "A plate withdrawn from a liquid bath", "Withdrawal from opioids", "retracted papers and their impact",
        "Fluid is injected (withdrawn) at the wells.", "The landing gear was retracted.", "drugs that were withdrawn",
        "This paper studies how funds are withdrawn.", "Retraction of arms: a study", "Retraction to the centre",
        "We have withdrawn samples of this letter paper", "Authors have retracted papers before",
        "Deformation retracts", "Retracted articles in medicine",
    ],
)  # fmt: skip
def test_papers_about_withdrawing_are_not_withdrawn(text: str) -> None:
    assert not is_withdrawn("A title", text)


def test_changes_are_reported_by_kind() -> None:
    assert changes("plain text") == set()
    assert changes("<p>Abstract: A ﬁrst net-\nwork</p>") == {"markup", "characters", "heading", "hyphenation"}
    assert changes("<p>n/a</p>") == {"markup", "placeholder"}


PATHOLOGICAL = {
    "combining marks": "a" + "\u0300\u0316" * (LIMIT // 2),
    "less-than signs": "<" * LIMIT,
    "tags that never end": "<p " * (LIMIT // 3),
    "attributes that never end": "<p a=" * (LIMIT // 5),
    "spaces in a tag": "<p" + " " * LIMIT,
    "opened elements": "<p>" * (LIMIT // 3),
    "dropped elements": "<annotation>" * (LIMIT // 12) + "</annotation>",
    "comments": "<!--" * (LIMIT // 4),
    "headings": "<title> abstract " * (LIMIT // 17),
    "spaces after the word of a heading": "<b>abstract" + " " * LIMIT + "x",
    "LaTeX documents": "\\documentclass" * (LIMIT // 14),
    "names": "<" + "a" * LIMIT,
    "prefixes": "<a:" * (LIMIT // 3),
    "ampersands": "&" * LIMIT,
    "entities": "&amp;" * (LIMIT // 5),
    "entities escaped many times": "&" + "amp;" * (LIMIT // 4),
    "hyphens and line breaks": "ab-\n" * (LIMIT // 4),
    "one hyphen, many line breaks": "ab-" + "\n" * LIMIT,
    "a long word": "a" * LIMIT + "-\n",
    "line breaks": "\n" * LIMIT,
    "soft hyphens and spaces": ("\u00ad" + " " * 9) * (LIMIT // 10),
    "dots": "." * LIMIT,
    "notices": "withdrawn this " * (LIMIT // 15),
    "notices of long words": "withdrawn the " + "a-" * (LIMIT // 2),
    "openings of notices": "withdrawn " + "this paper " * (LIMIT // 11),
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_no_text_takes_more_than_linear_time(name: str) -> None:
    """Processor time, so that a busy machine does not count; quadratic steps take ten seconds and more."""
    begun = time.process_time()
    plain(PATHOLOGICAL[name])
    is_withdrawn(PATHOLOGICAL[name])
    assert time.process_time() - begun < 3


@given(st.text(max_size=200))
def test_any_text_becomes_text_that_the_tokenizer_accepts(text: str) -> None:
    content = plain(text)
    content.encode()
    assert content == " ".join(content.split())


def encoder() -> PaperEncoder:
    return PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32, preparation="plain-text"))


def test_an_encoding_reports_what_was_changed_and_what_is_unknown() -> None:
    (encoding,) = encoder().encode([Paper("<i>A quantum</i> algorithm", "[No abstract available]")])
    assert encoding.changes == ("markup", "placeholder")
    assert encoding.title_only
    assert (encoding.tokens, encoding.unknown) == (3, 0)
    (encoding,) = encoder().encode([Paper("a zebra star", "of giraffes")])
    assert (encoding.tokens, encoding.unknown, encoding.changes) == (5, 2, ())


def test_a_withdrawn_paper_is_never_ok() -> None:
    classifier = builders.classifier(InputFormat(max_tokens=32, preparation="plain-text"))
    assert classifier.classify(Paper("star", "quantum particle plasma")).decision.status == "ok"
    answer = classifier.classify(Paper("star [withdrawn]", "quantum particle plasma star quantum particle plasma"))
    assert answer.encoding.withdrawn
    assert answer.decision.status == "uncertain"


def test_the_older_preparation_changes_white_space_alone() -> None:
    older = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32))
    assert older.prepare(" <i>ﬁrst</i>\n N/A&amp; ").content == "<i>ﬁrst</i> N/A&amp;"
    (encoding,) = older.encode([Paper("star", "n/a (withdrawn)")])
    assert (encoding.changes, encoding.withdrawn, encoding.title_only) == ((), False, False)


@pytest.mark.shared
def test_five_spellings_of_one_paper_have_the_same_pieces(shared: Path) -> None:
    cases = json.loads((shared / "field/cases/39-compatibility.json").read_text())["papers"]
    texts = [encoder().prepare(case["title"]).content.lower() for case in cases]
    assert set(texts) == {"efficient classification of different flows: a first field study"}
