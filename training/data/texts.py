"""Papers without labels, to pre-train on."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from model_store.papers import Paper
from training.config import TextFile
from training.data.cleaning import has_text, in_time
from training.data.paper_file import PaperFile
from training.data.papers import paper_key
from training.data.sampling import reservoir
from training.errors import DataError


def read_texts(files: Sequence[TextFile], held_out: Iterable[Paper], seed: int) -> list[Paper]:
    """Papers of all files, cleaned, without duplicates and without those that are held out.

    A paper that a file's sample left out may still come from a later file.

    Raises DataError if a file has neither titles nor abstracts, or if nothing is left.
    """
    rng = np.random.default_rng(seed)
    kept = {paper_key(paper) for paper in held_out}
    texts: list[Paper] = []
    for file in files:
        drawn = reservoir(_new_papers(file, kept), file.sample, rng)
        kept.update(map(paper_key, drawn))
        texts += drawn
    if not texts:
        raise DataError(f"{', '.join(str(file.path) for file in files)}: no paper is left to pre-train on")
    return texts


def _new_papers(file: TextFile, kept: AbstractSet[bytes]) -> Iterator[Paper]:
    read: set[bytes] = set()
    for row in PaperFile(file.path):
        if has_text(row.paper) and in_time(row.date, file):
            key = paper_key(row.paper)
            if key not in kept and key not in read:
                read.add(key)
                yield row.paper
