"""Leaves out and counts papers: empty texts, duplicates, and papers that the configuration excludes."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from model_store.papers import Paper
from model_store.text import PlainText, is_placeholder, is_withdrawn
from training.config import Source, TextFile
from training.data.papers import LabelledPaper, paper_key

Counts = dict[str, int]

_REASONS = ("empty", "unlabelled", "undated", "older", "newer", "other_labels", "in_test", "duplicates")
# Whether a hyphen stays in a word does not matter here, so no vocabulary is needed.
_PLAIN_TEXT = PlainText(lambda word: False)
# Texts of these characters alone stay as they are: no markup, no heading with a colon, no line break.
_PLAIN_ALREADY = re.compile(r"[\w ,()'/?-]*", re.ASCII)


@dataclass
class Cleaning:
    """Filters the papers of one file.

    Where the source has `since` or `until`, a paper whose date does not begin with a year counts as undated and is left
    out.
    """

    keep_unlabelled: bool
    """Whether a paper without any label is kept, as a negative example of each."""
    kept: AbstractSet[bytes] = frozenset()
    """Keys of the papers kept from the files before. A paper that was read there but not drawn is not among them."""
    test: AbstractSet[bytes] = frozenset()
    """Keys of the test papers, which must not be used for training or for any choice."""

    def __call__(self, papers: Iterable[LabelledPaper], source: Source, counts: Counts) -> Iterator[LabelledPaper]:
        """The papers to use; `counts` gets the number of rows and those left out by reason."""
        counts.update(rows=0, **dict.fromkeys(_REASONS, 0))
        wanted = frozenset(source.having or ())
        read: set[bytes] = set()
        for labelled in papers:
            counts["rows"] += 1
            # The cheap checks come first: they exclude most lines of a snapshot of millions.
            reason = self._reason(labelled, source, wanted)
            if reason is None:
                key = paper_key(labelled.paper)
                reason = "in_test" if key in self.test else "duplicates" if key in self.kept or key in read else None
                read.add(key)
            if reason is None:
                yield labelled
            else:
                counts[reason] += 1

    def _reason(self, labelled: LabelledPaper, source: Source, wanted: frozenset[str]) -> str | None:
        if not has_text(labelled.paper):
            return "empty"
        if not labelled.labels and not self.keep_unlabelled:
            return "unlabelled"
        if reason := _out_of_time(labelled.date, source):
            return reason
        return "other_labels" if wanted and not wanted & labelled.labels else None


def has_text(paper: Paper) -> bool:
    """Whether the plain-text preparation leaves anything: "n/a" for a title and `<p/>` for an abstract are empty."""
    return any(_is_text(text) for text in paper)


def _is_text(text: str) -> bool:
    # Most titles need no preparation, which would make reading a file a tenth slower.
    return not is_placeholder(text) if _PLAIN_ALREADY.fullmatch(text) else bool(_PLAIN_TEXT(text).content)


def without_withdrawn(papers: Iterable[LabelledPaper], counts: Counts) -> list[LabelledPaper]:
    """The papers without notices of withdrawal, from which a network must not learn; the others are counted."""
    papers = list(papers)
    kept = [labelled for labelled in papers if not is_withdrawn(*labelled.paper)]
    counts["withdrawn"] = len(papers) - len(kept)
    return kept


def in_time(date: str, file: TextFile) -> bool:
    """Whether a date lies within the file's `since` and `until`; see `Cleaning`."""
    return _out_of_time(date, file) is None


def _out_of_time(date: str, file: TextFile) -> str | None:
    """The reason to leave out a paper of this date.

    A date may be a year or a month only. Bounds are cut to its length, so that consecutive periods share no paper.
    """
    if not (file.since or file.until):
        return None
    if not date[:4].isdecimal():
        return "undated"
    if file.since and date < file.since[: len(date)]:
        return "older"
    return "newer" if file.until and date >= file.until[: len(date)] else None
