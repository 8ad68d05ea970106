"""How an imported model reads a paper, by its tokenizer."""

from typing import NamedTuple

from tokenizers import Tokenizer

from model_store.papers import InputFormat, Layout, Preparation
from training.errors import ConfigError

# As model_store.papers.InputFormat has it.
_LONGEST = 512


class Wanted(NamedTuple):
    """What the user knows of the texts that the model was fine-tuned on."""

    layout: Layout | None = None
    """None: joined, which most models are fine-tuned on."""
    joiner: str = " "
    max_tokens: int | None = None
    """None: as many as the model reads, up to 512."""
    preparation: Preparation = "whitespace"


class Specials(NamedTuple):
    """The special tokens that a tokenizer puts around texts."""

    first: str
    last: str
    separators: int | None
    """Between the texts of a pair, all of them `last`; None if a pair is laid out otherwise."""
    token_types: bool
    """Whether the second text of a pair has token type 1."""


def input_format(tokenizer: Tokenizer, wanted: Wanted, *, positions: int | None, token_types: bool) -> InputFormat:
    """The layout of a paper for a model that reads at most `positions` word pieces.

    `token_types` is whether the model knows them. Raises ConfigError if the tokenizer puts other tokens around a text
    than one before and one after it, or if the model reads less than what is wanted.
    """
    specials = read_specials(tokenizer)
    longest = min(_LONGEST, positions or _LONGEST)
    if wanted.max_tokens is not None and not 8 <= wanted.max_tokens <= longest:
        raise ConfigError(f"--max-tokens is {wanted.max_tokens}; expected 8 to {longest}, which the model can read")
    # The separator as a joiner makes two segments of the same token type.
    separated = wanted.layout != "pair" and wanted.joiner.strip() == specials.last
    pair = wanted.layout == "pair"
    if pair and specials.separators is None:
        raise ConfigError(
            "the tokenizer does not lay out a pair of texts with one or two separators between them, as --input pair "
            "needs; use --input joined"
        )
    return InputFormat(
        preparation=wanted.preparation,
        max_tokens=wanted.max_tokens or longest,
        layout="pair" if pair or separated else "joined",
        joiner=" " if pair or separated else wanted.joiner,
        separators=1 if separated else specials.separators or 1,
        token_types=pair and token_types and specials.token_types,
        cls_token=specials.first,
        sep_token=specials.last,
    )


def read_specials(tokenizer: Tokenizer) -> Specials:
    """The special tokens around a text and around a pair; ConfigError unless there is one on each side of a text."""
    one, pair = tokenizer.encode("a"), tokenizer.encode("a", "a")
    inner = [number for number in one.sequence_ids if number is not None]
    if one.sequence_ids != [None, *inner, None]:
        raise ConfigError(
            f"the tokenizer lays out a text as {' '.join(one.tokens)!r}; expected one special token before and one "
            "after it, as in the BERT family"
        )
    first, last = one.tokens[0], one.tokens[-1]
    between = [
        token
        for i, (token, number) in enumerate(zip(pair.tokens, pair.sequence_ids, strict=True))
        if number is None and 0 < i < len(pair.tokens) - 1
    ]
    regular = between in ([last], [last] * 2) and (pair.tokens[0], pair.tokens[-1]) == (first, last)
    return Specials(first, last, len(between) if regular else None, token_types=1 in pair.type_ids)
