"""A paper cut into the pieces whose evidence is asked for. Knows papers and sentences; knows no model."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from app.explain.sentences import sentences
from model_store.papers import Paper

Field = Literal["title", "abstract"]


class Piece(NamedTuple):
    """One sentence, or several in a row, of one field; offsets in code points of the text as submitted."""

    field: Field
    start: int
    end: int
    sentences: int = 1


def pieces(paper: Paper, most: int) -> list[Piece]:
    """The sentences of a paper in order, at most about `most`: in longer papers, later ones are taken together.

    The first three quarters of the places go to single sentences, since abstracts say first what they are about.
    A piece never spans both fields, which may cost one place more.
    """
    single = [Piece("title", *span) for span in sentences(paper.title)]
    single += [Piece("abstract", *span) for span in sentences(paper.abstract)]
    if len(single) <= most:
        return single
    kept = most * 3 // 4
    return single[:kept] + list(_grouped(single[kept:], most - kept))


def without(paper: Paper, piece: Piece) -> Paper:
    """The paper with this piece left out."""
    text: str = getattr(paper, piece.field)
    return paper._replace(**{piece.field: text[: piece.start] + text[piece.end :]})


def _grouped(single: Sequence[Piece], groups: int) -> Iterator[Piece]:
    size = -(-len(single) // groups)
    for i in range(0, len(single), size):
        for field in ("title", "abstract"):
            if row := [piece for piece in single[i : i + size] if piece.field == field]:
                yield Piece(row[0].field, row[0].start, row[-1].end, len(row))
