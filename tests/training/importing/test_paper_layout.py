"""The layout of a paper follows from the model's tokenizer and from what the user knows."""

import pytest
from tokenizers import Tokenizer, processors

from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from tests.training.importing import models
from training.errors import ConfigError
from training.importing.paper_layout import Specials, Wanted, input_format, read_specials

BERT = models.word_pieces().backend_tokenizer
ROBERTA = models.byte_pairs().backend_tokenizer
PAPER = Paper("star [SEP] proof", "the </s> theorem")


def layout(tokenizer: Tokenizer, *wanted: object, token_types: bool = True) -> InputFormat:
    return input_format(tokenizer, Wanted(*wanted), positions=64, token_types=token_types)  # type: ignore[arg-type]


def test_special_tokens_are_those_of_the_tokenizer() -> None:
    assert read_specials(BERT) == Specials("[CLS]", "[SEP]", 1, token_types=True)
    assert read_specials(ROBERTA) == Specials("<s>", "</s>", 2, token_types=False)


@pytest.mark.parametrize(("tokenizer", "make"), [(BERT, models.word_pieces), (ROBERTA, models.byte_pairs)])
@pytest.mark.parametrize("kind", ["pair", "joined"])
def test_papers_are_encoded_as_by_the_tokenizer_itself(tokenizer: Tokenizer, make: object, kind: str) -> None:
    paper = Paper("star proof", "the theorem")
    own = make()(*(paper if kind == "pair" else [" ".join(paper)]), return_token_type_ids=True)  # type: ignore[operator]
    (encoding,) = PaperEncoder(tokenizer, layout(tokenizer, kind)).encode([paper])
    assert encoding.input_ids == own["input_ids"]
    assert encoding.token_type_ids == own["token_type_ids"]


def test_special_tokens_within_a_text_are_plain_text() -> None:
    for tokenizer in (BERT, ROBERTA):
        format_ = layout(tokenizer, "pair")
        (encoding,) = PaperEncoder(tokenizer, format_).encode([PAPER])
        specials = [tokenizer.token_to_id(token) for token in (format_.cls_token, format_.sep_token)]
        assert [encoding.input_ids.count(id_) for id_ in specials] == [1, 1 + format_.separators]


def test_the_separator_as_a_joiner_makes_two_segments_of_one_type() -> None:
    for tokenizer, joiner in ((BERT, " [SEP] "), (ROBERTA, "</s>")):
        found = layout(tokenizer, "joined", joiner)
        assert (found.layout, found.separators, found.token_types) == ("pair", 1, False)


def test_without_a_word_about_the_layout_texts_are_joined() -> None:
    assert (layout(BERT).layout, layout(BERT).joiner, layout(BERT).max_tokens) == ("joined", " ", 64)


def test_token_types_need_a_model_that_knows_them() -> None:
    assert layout(BERT, "pair").token_types
    assert not layout(BERT, "pair", token_types=False).token_types


def test_a_tokenizer_without_the_usual_special_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected one special token before and one after it"):
        read_specials(builders.tokenizer())


def test_a_pair_that_is_laid_out_otherwise_can_only_be_joined() -> None:
    odd = builders.tokenizer()
    odd.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    assert layout(odd, "joined").layout == "joined"
    with pytest.raises(ConfigError, match="use --input joined"):
        layout(odd, "pair")
