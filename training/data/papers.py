"""Labelled papers: one by one as they are read from a file, and as the arrays that a network learns from."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.papers import Paper
from model_store.text import collapse_whitespace


class LabelledPaper(NamedTuple):
    """A paper, the names of its labels, and its date, finer categories and id where the file has them."""

    paper: Paper
    labels: frozenset[str]
    date: str
    categories: frozenset[str] | None
    """Names of the auxiliary head's categories; None if the file does not say."""
    id: str
    row: int
    """Its number in the file, from 1, the header not counted."""


@dataclass(frozen=True)
class Papers:
    """Papers with their targets, shape (papers, labels), 0 or 1.

    `categories`, shape (papers, categories), holds the targets of the auxiliary head if there is
    one; a row of NaN means that the categories of that paper are not known. `teacher`, shape
    (papers, labels), holds the logits of a teacher, if there is one.
    """

    papers: list[Paper]
    targets: NDArray[np.float32]
    categories: NDArray[np.float32] | None = None
    teacher: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.papers)

    def subset(self, rows: Sequence[int] | NDArray[np.intp]) -> "Papers":
        """The papers of these rows, in this order."""
        index = np.asarray(rows, dtype=np.intp)
        return Papers(
            [self.papers[i] for i in index],
            self.targets[index],
            None if self.categories is None else self.categories[index],
            None if self.teacher is None else self.teacher[index],
        )

    def with_titles_alone(self, share: float, seed: int, has_text: Callable[[Paper], bool]) -> "Papers":
        """The same, but about this share of the papers, drawn by the seed, without their abstracts.

        Papers whose title alone is no text, as `has_text` says, stay as they are.
        """
        drawn = np.random.default_rng(seed).random(len(self)) < share
        papers = [
            Paper(paper.title) if alone and has_text(Paper(paper.title)) else paper
            for paper, alone in zip(self.papers, drawn, strict=True)
        ]
        return replace(self, papers=papers)


def paper_key(paper: Paper) -> bytes:
    """A digest that is the same for two papers if their texts are equal except for case and white space.

    16 bytes instead of the text, so that the papers already seen of a file of millions fit into memory.
    """
    text = collapse_whitespace(" ".join(paper)).lower()
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
