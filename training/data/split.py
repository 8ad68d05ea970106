"""A split into training and validation papers that gives each label its share of both."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

LabelSets = Sequence[frozenset[str]]


def stratified_split(labels: LabelSets, share: float, rng: np.random.Generator) -> frozenset[int]:
    """Indices of the papers to hold out: `share` of all papers, and about `share` of those of each label.

    After iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011): labels are distributed
    from the rarest to the most common, since few papers are left to correct a rare label later. A label of
    two papers or more is on both sides; a random split leaves rare labels out of one. If there are
    more labels than `share` has room for, more papers are held out.
    """
    order = rng.permutation(len(labels)).tolist()
    split = _Split(labels, share)
    papers_of: dict[str, list[int]] = {}
    for paper in order:
        for label in labels[paper]:
            papers_of.setdefault(label, []).append(paper)
    dealt: set[int] = set()
    for label in sorted(papers_of, key=lambda label: (len(papers_of[label]), label)):
        papers = [paper for paper in papers_of[label] if paper not in dealt]
        split.deal(papers, label)
        dealt.update(papers)
    split.resize(order, max(1, round(share * len(labels))))
    return frozenset(split.held_out)


class _Split:
    """The papers held out so far, counted by label."""

    def __init__(self, labels: LabelSets, share: float) -> None:
        self.held_out: set[int] = set()
        self._labels = labels
        self._held = Counter[str]()
        self._papers = Counter(label for paper in labels for label in paper)
        # At least one, so that the label can be measured; at most all but one, so that it can be learned.
        self._wanted = {label: min(max(1, round(share * n)), n - 1) for label, n in self._papers.items()}

    def deal(self, papers: Sequence[int], label: str) -> None:
        """Hold out as many of the papers as the label needs, those first whose other labels need them too."""
        for paper in sorted(papers, key=self._surplus):
            if self._held[label] >= self._wanted[label]:
                return
            if self._can_be_spared(paper):
                self._hold_out(paper)

    def resize(self, order: Sequence[int], size: int) -> None:
        """Hold out exactly `size` papers, if every label can stay on both sides."""
        for paper in sorted(order, key=self._surplus, reverse=True):
            if len(self.held_out) <= size:
                break
            if paper in self.held_out and all(self._held[label] > 1 for label in self._labels[paper]):
                self.held_out.remove(paper)
                self._held.subtract(self._labels[paper])
        # Papers without labels have not been distributed yet and come first.
        for paper in sorted(order, key=lambda paper: len(self._labels[paper])):
            if len(self.held_out) >= size:
                break
            if paper not in self.held_out and self._can_be_spared(paper):
                self._hold_out(paper)

    def _hold_out(self, paper: int) -> None:
        self.held_out.add(paper)
        self._held.update(self._labels[paper])

    def _surplus(self, paper: int) -> int:
        """How many labels of the paper have enough papers held out."""
        return sum(self._held[label] >= self._wanted[label] for label in self._labels[paper])

    def _can_be_spared(self, paper: int) -> bool:
        """Whether every label of the paper keeps at least one training paper."""
        return all(self._held[label] < self._papers[label] - 1 for label in self._labels[paper])
