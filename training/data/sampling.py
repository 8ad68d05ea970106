"""Seeded draws of papers."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from training.data.papers import LabelledPaper

_T = TypeVar("_T")


def reservoir(stream: Iterable[_T], count: int | None, rng: np.random.Generator) -> list[_T]:
    """`count` items of a stream, each with the same chance, in their order; all items if there are not more.

    Only those drawn are in memory (algorithm R, Vitter 1985), so that a sample of a file of millions is cheap.
    """
    if count is None:
        return list(stream)
    drawn: list[tuple[int, _T]] = []
    for number, item in enumerate(stream):
        if number < count:
            drawn.append((number, item))
        elif (place := int(rng.integers(number + 1))) < count:
            drawn[place] = (number, item)
    return [item for _, item in sorted(drawn, key=lambda numbered: numbered[0])]


def draw(items: list[_T], count: int | None, rng: np.random.Generator) -> list[_T]:
    """`count` items of a list in their order; all items if there are not more."""
    if count is None or count >= len(items):
        return items
    return [items[i] for i in sorted(rng.choice(len(items), count, replace=False))]


def nested_share(papers: Sequence[LabelledPaper], share: float, seed: int) -> list[LabelledPaper]:
    """The first papers in a seeded order, so that a smaller share lies within a larger one.

    The order begins with a paper of each label: a share that has room for all labels lacks none.
    """
    if share == 1:
        return list(papers)
    order = np.random.default_rng([seed, len(papers)]).permutation(len(papers)).tolist()
    first: dict[str, int] = {}
    for place in order:
        for label in sorted(papers[place].labels):
            first.setdefault(label, place)
    order = list(dict.fromkeys([*first.values(), *order]))
    return [papers[place] for place in sorted(order[: max(1, round(share * len(papers)))])]
