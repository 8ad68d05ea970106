"""Papers and how they are encoded as word pieces, the same in training and in serving."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from tokenizers import Tokenizer

from model_store.errors import PaperError
from model_store.text import Change, PlainText, PreparedText, collapse_whitespace, is_withdrawn

Truncation = Literal["head", "tail", "head+tail"]
Preparation = Literal["whitespace", "plain-text"]
Layout = Literal["pair", "joined"]

# The prefix of a piece at the beginning of a word: none in WordPiece, then byte-level BPE, then SentencePiece.
_WORD_MARKS = ("", "\u0120", "\u2581")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Paper(NamedTuple):
    """A title and an abstract; either may be empty, not both."""

    title: str
    abstract: str = ""


class InputFormat(BaseModel):
    """How the text of a paper is prepared and laid out; part of the artefact, since it changes scores.

    `head_tokens` is how many pieces of the abstract "head+tail" keeps from its beginning
    (Sun et al. 2019, section 5.3.1, keep 128 of 510). With `chunks`, a long abstract is encoded in
    parts, each of them after the title ("hierarchical methods" of that section). A text that is
    longer than that is cut as `truncation` says.

    A pair is `[CLS] title [SEP] abstract [SEP]`, with as many separators in the middle as the encoder
    was pretrained with (RoBERTa has two). Joined, title and abstract are one text: `[CLS] text [SEP]`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preparation: Preparation = Field(
        default="whitespace",
        description="whitespace: only white space is normalized, as up to version 1.2.0 of arxiv-subjects; plain-text: "
        "also Unicode (NFKC), markup, entities, words broken at line ends and placeholders",
    )
    max_tokens: int = Field(ge=8, le=512, description="word pieces the encoder sees, special ones included")
    truncation: Truncation = "head"
    head_tokens: int = Field(default=128, ge=1)
    chunks: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="largest number of parts of `max_tokens` for one paper; absent: one part",
    )
    layout: Layout = Field(default="pair", description="two segments, or one text")
    joiner: str = Field(default=" ", max_length=100, description="between title and abstract, if joined")
    separators: int = Field(default=1, ge=1, le=2, description="`sep_token`s between title and abstract of a pair")
    token_types: bool = Field(default=True, description="whether the abstract of a pair has token type 1, not 0")
    cls_token: str = "[CLS]"
    sep_token: str = "[SEP]"

    @model_validator(mode="after")
    def _chunks_are_pairs(self) -> "InputFormat":
        if self.chunks is not None and self.layout == "joined":
            raise ValueError('`chunks` repeat the title before each part of the abstract: they need `layout = "pair"`')
        return self

    @property
    def special_tokens(self) -> int:
        """How many of `max_tokens` are special tokens."""
        return 2 + (self.separators if self.layout == "pair" else 0)


class Encoding(NamedTuple):
    """One paper as input of the network."""

    input_ids: list[int]
    token_type_ids: list[int]
    tokens: int
    """Word pieces of the text, special tokens not counted."""
    tokens_used: int
    """Those of them that the network reads; the others are truncated."""
    chunk_tokens: int | None = None
    """Number of ids in each chunk but the last, special tokens included; None: the paper is one row."""
    unknown: int = 0
    """Those of `tokens` that are not in the vocabulary."""
    changes: tuple[Change, ...] = ()
    """What the preparation dropped or replaced, in alphabetical order."""
    withdrawn: bool = False
    """Whether the paper holds a notice of its withdrawal."""
    title_only: bool = False
    """Whether the network receives no abstract."""

    @property
    def truncated(self) -> bool:
        return self.tokens_used < self.tokens

    def rows(self) -> "Rows":
        """The inputs of the graph: one row, or one per chunk, of which the last is padded with zeros."""
        width = self.chunk_tokens or len(self.input_ids)
        count = -(-len(self.input_ids) // width)
        padded = np.zeros((3, count, min(width, len(self.input_ids))), dtype=np.int64)
        ids = (self.input_ids, [1] * len(self.input_ids), self.token_type_ids)
        for flat, values in zip(padded.reshape(3, -1), ids, strict=True):
            flat[: len(values)] = values
        return Rows(*padded)


class Rows(NamedTuple):
    """The inputs of a graph, int64, each of shape (rows, tokens)."""

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    token_type_ids: NDArray[np.int64]


class Encoder(Protocol):
    """Encodes papers."""

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]: ...


class PaperEncoder:
    """Prepares, tokenizes and lays out papers with one tokenizer and one format.

    `[SEP]` in an abstract must not act as a separator, so the tokenizer is told to treat special
    tokens in a text as plain text. That flag is not saved in `tokenizer.json`, and such a file may
    ask for padding and truncation, so all three are set here.
    """

    def __init__(self, tokenizer: Tokenizer, format_: InputFormat) -> None:
        self.tokenizer = tokenizer
        self.format = format_
        self.tokenizer.encode_special_tokens = True
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self._cls, self._sep = self._special(format_.cls_token), self._special(format_.sep_token)
        self._plain_text = PlainText(self._is_word)
        unknown: int | None = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "")
        # Not every kind of tokenizer has an unknown token, and no piece has a negative id.
        self._unknown = -1 if unknown is None else unknown

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        """One encoding per paper, in order; raises PaperError if a paper has no text."""
        prepared = [[self.prepare(text) for text in paper] for paper in papers]
        segments = [segment for texts in prepared for segment in self._segments(*(text.content for text in texts))]
        # All texts in one call: the tokenizer spreads them over its threads.
        pieces = self.tokenizer.encode_batch_fast(segments, add_special_tokens=False)
        return [self._lay_out(texts, pieces[2 * i].ids, pieces[2 * i + 1].ids) for i, texts in enumerate(prepared)]

    def has_text(self, paper: Paper) -> bool:
        """Whether the preparation leaves anything of title or abstract; `encode` refuses papers without text."""
        return any(self.prepare(text).content for text in paper)

    def prepare(self, text: str) -> PreparedText:
        """A title or an abstract as the tokenizer gets it; empty if it is missing or a placeholder."""
        if self.format.preparation == "plain-text":
            return self._plain_text(text)
        # The tokenizer refuses lone surrogates, which JSON and file names may contain.
        return PreparedText(collapse_whitespace(_LONE_SURROGATE.sub(" ", text)))

    def _is_word(self, word: str) -> bool:
        forms = (mark + form for mark in _WORD_MARKS for form in (word, word.lower()))
        return any(self.tokenizer.token_to_id(form) is not None for form in forms)

    def _segments(self, title: str, abstract: str) -> tuple[str, str]:
        if self.format.layout == "pair":
            return title, abstract
        return self.format.joiner.join(text for text in (title, abstract) if text), ""

    def _lay_out(self, prepared: Sequence[PreparedText], title: list[int], abstract: list[int]) -> Encoding:
        """Lay out the pieces of both segments; in a joined text the first segment has all of them."""
        if not title and not abstract:
            raise PaperError("the paper has neither a title nor an abstract; give at least one of them")
        room = self.format.max_tokens - self.format.special_tokens
        joined = self.format.layout == "joined"
        # Chunks need room for the abstract beside the longest title.
        kept_title = (
            self._cut(title, room) if joined else title[: room // 2 if self.format.chunks and abstract else room]
        )
        width = room - len(kept_title)
        kept_abstract = self._cut(abstract, width * (self.format.chunks or 1))
        title_part = [self._cls, *kept_title, *[self._sep] * (self.format.separators if kept_abstract else 1)]
        starts = range(0, len(kept_abstract), max(1, width))
        # Without an abstract there is one part, which is empty.
        abstract_parts = [[*kept_abstract[i : i + width], self._sep] for i in starts] or [[]]
        return Encoding(
            input_ids=[piece for part in abstract_parts for piece in title_part + part],
            token_type_ids=[
                kind
                for part in abstract_parts
                for kind in [0] * len(title_part) + [int(self.format.token_types)] * len(part)
            ],
            tokens=len(title) + len(abstract),
            tokens_used=len(kept_title) + len(kept_abstract),
            chunk_tokens=self.format.max_tokens if self.format.chunks else None,
            unknown=title.count(self._unknown) + abstract.count(self._unknown),
            changes=tuple(sorted(set().union(*(text.changes for text in prepared)))),
            withdrawn=self.format.preparation == "plain-text" and is_withdrawn(*(text.content for text in prepared)),
            title_only=not (prepared[1].content if joined else kept_abstract),
        )

    def _cut(self, pieces: list[int], room: int) -> list[int]:
        if len(pieces) <= room:
            return pieces
        if self.format.truncation == "head":
            return pieces[:room]
        head = min(self.format.head_tokens, room) if self.format.truncation == "head+tail" else 0
        return pieces[:head] + pieces[len(pieces) - (room - head) :]

    def _special(self, token: str) -> int:
        token_id: int | None = self.tokenizer.token_to_id(token)
        if token_id is None:
            raise PaperError(f"the tokenizer has no {token!r}; the input format names a token it must know")
        return token_id
