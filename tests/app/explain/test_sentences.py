"""Sentences and pieces: nothing is lost, offsets are exact, and scholarly prose is cut where a reader would."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.explain.sentences import passages, sentence_bounds, without
from model_store.papers import Paper

# Rich in what the rules look at, with characters outside of the basic plane.
PROSE = st.text(st.sampled_from("aZ9 .!?…$\\()[]\"'”\n\t,e𝒳é") | st.characters(codec="utf-8"), max_size=80)


def sentences(text: str) -> list[tuple[int, int]]:
    return list(itertools.pairwise(sentence_bounds(text)))


def cut(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "One. Two! Three? Four… Five",
        "We follow Smith et al. (2019). Their proof fails.",
        "Take a group, e.g. Monster groups. It is large.",
        "It holds for most $n$, i.e. Almost all. The rest is open.",
        "See Fig. 3 and Eq. (7). Both agree.",
        "The ratio is 3.14 at p = .05 only. It rose.",
        "Let $f(x). Y = 3$ hold. Then stop.",
        "With $$a. B. C$$ and \\(d. E\\) we start. Then stop.",
        "It costs $5. They pay $6 for it.",
        "As J. A. Smith showed. We follow.",
        'He said "stop." We did.',
        "Is it so? (Yes.) Indeed.",
        "In the U.S. Congress sat. It rose.",
        "Growth vs. Decay is old. Age matters.",
        "A title without an end\n\nA second paragraph",
    ],
)
def test_scholarly_prose_is_split_into_its_sentences(text: str) -> None:
    expected = {
        "One. Two! Three? Four… Five": ["One.", "Two!", "Three?", "Four…", "Five"],
        "It costs $5. They pay $6 for it.": ["It costs $5.", "They pay $6 for it."],
        "Is it so? (Yes.) Indeed.": ["Is it so?", "(Yes.)", "Indeed."],
        "A title without an end\n\nA second paragraph": ["A title without an end", "A second paragraph"],
    }
    assert len(cut(text)) == len(expected.get(text, ["one", "two"])), cut(text)
    assert cut(text) == expected.get(text, cut(text))


def test_a_lower_case_letter_continues_the_sentence() -> None:
    assert cut("Compared to approx. ten, and to no. five, it fell... but rose.") == [
        "Compared to approx. ten, and to no. five, it fell... but rose."
    ]


@given(PROSE)
def test_sentences_cover_the_text_in_order_and_none_is_blank(text: str) -> None:
    spans = sentences(text)
    assert "".join(text[start:end] for start, end in spans) == (text if text.strip() else "")
    assert all(text[start:end].strip() for start, end in spans)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


@given(PROSE, PROSE, st.integers(4, 8))
def test_pieces_cover_the_paper_and_stay_few(title: str, abstract: str, most: int) -> None:
    paper = Paper(title, abstract)
    made = passages(paper, most)
    for field in ("title", "abstract"):
        text = getattr(paper, field)
        covered = "".join(text[passage.start : passage.end] for passage in made if passage.field == field)
        assert covered == (text if text.strip() else "")
    assert sum(passage.sentences for passage in made) == len(sentences(title)) + len(sentences(abstract))
    assert len(made) <= most + 1


@given(PROSE, PROSE)
def test_leaving_a_piece_out_leaves_all_the_rest(title: str, abstract: str) -> None:
    paper = Paper(title, abstract)
    for passage in passages(paper, 40):
        rest = without(paper, passage)
        gone = passage.end - passage.start
        assert len(rest.title) + len(rest.abstract) == len(title) + len(abstract) - gone
        text: str = getattr(paper, passage.field)
        assert getattr(rest, passage.field) == text[: passage.start] + text[passage.end :]


def test_only_later_sentences_are_taken_together() -> None:
    made = passages(Paper("A title.", "It is. " * 99), 40)
    assert [passage.sentences for passage in made[:30]] == [1] * 30
    assert all(passage.sentences > 1 for passage in made[30:-1])
    assert sum(passage.sentences for passage in made) == 100


@pytest.mark.parametrize("unit", [".", "$", "\\(", '."', ". ", "$$", "\n ", "A. "])
def test_adversarial_texts_are_split_in_linear_time(unit: str) -> None:
    """No time is asserted; a square of this length would take minutes."""
    text = unit * (100_000 // len(unit))
    assert "".join(text[start:end] for start, end in sentences(text)) in (text, "")
