"""The text preparation that training and serving share."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer

from model_store.errors import PaperError
from model_store.papers import Encoding, InputFormat, Paper, PaperEncoder, Truncation
from model_store.text import collapse_whitespace
from tests import builders

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def encoder(max_tokens: int = 12, truncation: Truncation = "head", head_tokens: int = 2) -> PaperEncoder:
    return PaperEncoder(
        builders.tokenizer(), InputFormat(max_tokens=max_tokens, truncation=truncation, head_tokens=head_tokens)
    )


def words(paper_encoder: PaperEncoder, ids: list[int]) -> str:
    return " ".join(str(paper_encoder.tokenizer.id_to_token(i)) for i in ids)


def test_title_and_abstract_are_separated_and_typed() -> None:
    made = encoder()
    (encoding,) = made.encode([Paper("a proof", "of a theorem")])
    assert words(made, encoding.input_ids) == "[CLS] a proof [SEP] of a theorem [SEP]"
    assert encoding.token_type_ids == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (encoding.tokens, encoding.tokens_used, encoding.truncated) == (5, 5, False)


@pytest.mark.parametrize(
    ("layout", "paper", "laid_out", "types"),
    [
        ({"layout": "joined"}, Paper("a proof", "of a theorem"), "[CLS] a proof of a theorem [SEP]", [0] * 7),
        ({"layout": "joined", "joiner": " . "}, Paper("a", "proof"), "[CLS] a . proof [SEP]", [0] * 5),
        ({"layout": "joined", "joiner": " . "}, Paper("a proof"), "[CLS] a proof [SEP]", [0] * 4),
        ({"layout": "joined", "joiner": " . "}, Paper("", "a proof"), "[CLS] a proof [SEP]", [0] * 4),
        ({"separators": 2}, Paper("a", "proof"), "[CLS] a [SEP] [SEP] proof [SEP]", [0, 0, 0, 0, 1, 1]),
        ({"separators": 2}, Paper("a"), "[CLS] a [SEP]", [0] * 3),
        ({"token_types": False}, Paper("a", "proof"), "[CLS] a [SEP] proof [SEP]", [0] * 5),
    ],
)
def test_other_encoders_have_other_layouts(
    layout: dict[str, Any], paper: Paper, laid_out: str, types: list[int]
) -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=12, **layout))
    (encoding,) = made.encode([paper])
    assert words(made, encoding.input_ids) == laid_out
    assert encoding.token_type_ids == types
    assert encoding.title_only == (not paper.abstract)


@pytest.mark.parametrize("layout", [{"layout": "joined"}, {"separators": 2}])
@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
def test_no_layout_exceeds_the_limit(layout: dict[str, Any], truncation: Truncation) -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=8, truncation=truncation, **layout))
    (encoding,) = made.encode([Paper("star proof", "the a of we and b c .")])
    assert len(encoding.input_ids) == 8
    assert (encoding.tokens, encoding.tokens_used) == (10, 8 - made.format.special_tokens)


def test_chunks_need_a_pair() -> None:
    with pytest.raises(ValidationError, match="`chunks` repeat the title"):
        InputFormat(max_tokens=12, layout="joined", chunks=2)


def test_a_missing_abstract_leaves_no_empty_segment() -> None:
    made = encoder()
    (encoding,) = made.encode([Paper("a proof")])
    assert words(made, encoding.input_ids) == "[CLS] a proof [SEP]"


def test_each_chunk_of_a_long_abstract_follows_the_title() -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=8, chunks=3))
    (encoding,) = made.encode([Paper("star proof", "the a of we and b c .")])
    rows = encoding.rows()
    assert [words(made, row) for row in rows.input_ids.tolist()] == [
        "[CLS] star proof [SEP] the a of [SEP]",
        "[CLS] star proof [SEP] we and b [SEP]",
        "[CLS] star proof [SEP] c . [SEP] [PAD]",
    ]
    assert rows.token_type_ids.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2 + [[0, 0, 0, 0, 1, 1, 1, 0]]
    assert rows.attention_mask.tolist() == [[1] * 8, [1] * 8, [1] * 7 + [0]]
    assert (encoding.tokens, encoding.tokens_used, encoding.truncated) == (10, 10, False)


@pytest.mark.parametrize(("truncation", "kept"), [("head", "the a of we and b"), ("tail", "we and b c . ,")])
def test_a_text_longer_than_all_chunks_is_truncated(truncation: Truncation, kept: str) -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=8, chunks=2, truncation=truncation))
    (encoding,) = made.encode([Paper("star proof", "the a of we and b c . ,")])
    assert [row.split(" [SEP] ")[1].removesuffix(" [SEP]") for row in _rows(made, encoding)] == [
        " ".join(kept.split()[:3]), " ".join(kept.split()[3:]),
    ]  # fmt: skip
    assert (encoding.tokens, encoding.tokens_used, encoding.truncated) == (11, 8, True)


def test_the_longest_title_leaves_every_chunk_room_for_the_abstract() -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=9, chunks=4))
    (encoding,) = made.encode([Paper("star " * 50, "the a of we")])
    assert _rows(made, encoding) == ["[CLS] star star star [SEP] the a of [SEP]", "[CLS] star star star [SEP] we [SEP]"]


@pytest.mark.parametrize("chunks", [None, 1, 5])
def test_a_short_paper_is_one_row_with_and_without_chunks(chunks: int | None) -> None:
    made = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=12, chunks=chunks))
    (encoding,) = made.encode([Paper("a proof", "of a theorem")])
    assert _rows(made, encoding) == ["[CLS] a proof [SEP] of a theorem [SEP]"]
    assert encoding.rows().attention_mask.shape == (1, 8)


def _rows(made: PaperEncoder, encoding: Encoding) -> list[str]:
    return [words(made, row).replace(" [PAD]", "") for row in encoding.rows().input_ids.tolist()]


def test_a_special_token_written_in_a_text_stays_text() -> None:
    made = encoder()
    (encoding,) = made.encode([Paper("a [SEP] b", "[CLS] c")])
    assert words(made, encoding.input_ids) == "[CLS] a [ sep ] b [SEP] [ cls ] c [SEP]"


def test_truncation_and_padding_in_a_tokenizer_file_are_ignored() -> None:
    words_file = builders.tokenizer()
    words_file.enable_truncation(max_length=3)
    words_file.enable_padding(length=20)
    made = PaperEncoder(Tokenizer.from_str(words_file.to_str()), InputFormat(max_tokens=12))
    (encoding,) = made.encode([Paper("a proof", "of a theorem")])
    assert encoding.tokens_used == 5


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("head", "the a of we and"), ("tail", "b c . , quantum"), ("head+tail", "the a . , quantum")],
)
def test_a_long_abstract_is_truncated_as_the_format_says(truncation: Truncation, kept: str) -> None:
    made = encoder(max_tokens=10, truncation=truncation)
    (encoding,) = made.encode([Paper("star proof", "the a of we and b c . , quantum")])
    assert words(made, encoding.input_ids) == f"[CLS] star proof [SEP] {kept} [SEP]"
    assert (encoding.tokens, encoding.tokens_used, encoding.truncated) == (12, 7, True)


def test_a_title_longer_than_the_format_leaves_no_room_for_the_abstract() -> None:
    made = encoder(max_tokens=8)
    (encoding,) = made.encode([Paper("a proof " * 10, "of a theorem")])
    assert words(made, encoding.input_ids) == "[CLS] a proof a proof a [SEP]"
    assert encoding.tokens == 23


@pytest.mark.parametrize("paper", [Paper("", ""), Paper(" \n\t", "\u2003"), Paper("\u200b", "\u0007")])
def test_a_paper_without_text_is_refused(paper: Paper) -> None:
    with pytest.raises(PaperError, match="neither a title nor an abstract"):
        encoder().encode([paper])


def test_a_tokenizer_without_the_format_s_special_tokens_is_refused() -> None:
    format_ = InputFormat(max_tokens=12, cls_token="<s>")
    with pytest.raises(PaperError, match="<s>"):
        PaperEncoder(builders.tokenizer(), format_).encode([Paper("a")])


def test_white_space_of_any_kind_is_one_space() -> None:
    assert collapse_whitespace(" a\n\n b\u00a0\t c ") == "a b c"


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_a_paper_has_the_same_encoding_alone_and_among_others(texts: list[tuple[str, str]]) -> None:
    made = encoder()
    papers = [Paper("a" + title, abstract) for title, abstract in texts]
    assert made.encode(papers) == [made.encode([paper])[0] for paper in papers]


@given(TEXT, TEXT)
def test_no_encoding_is_longer_than_the_format_allows(title: str, abstract: str) -> None:
    (encoding,) = encoder(max_tokens=8).encode([Paper("a" + title, abstract)])
    assert len(encoding.input_ids) == len(encoding.token_type_ids) <= 8
    assert encoding.tokens_used <= encoding.tokens


def test_an_encoding_reports_whether_it_has_an_abstract() -> None:
    papers = [Paper("a star"), Paper("a star", "of"), Paper("", "of a star")]
    assert [encoding.title_only for encoding in encoder().encode(papers)] == [True, False, False]


def test_half_a_surrogate_pair_is_read_as_a_space() -> None:
    """JSON may hold one escaped, and a command line with undecodable bytes does; the tokenizer takes none."""
    alone, spaced = encoder().encode([Paper("a\ud800proof", "of\udc80a theorem"), Paper("a proof", "of a theorem")])
    assert alone.input_ids == spaced.input_ids
