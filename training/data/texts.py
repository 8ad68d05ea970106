"""Papers without labels, to pre-train on."""

from collections.abc import Iterable, Iterator, Sequence

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

    Raises DataError if a file has neither titles nor abstracts, or if nothing is left.
    """
    rng = np.random.default_rng(seed)
    seen = {paper_key(paper) for paper in held_out}
    texts = [paper for file in files for paper in reservoir(_new_papers(file, seen), file.sample, rng)]
    if not texts:
        raise DataError(f"{', '.join(str(file.path) for file in files)}: no paper is left to pre-train on")
    return texts


def _new_papers(file: TextFile, seen: set[bytes]) -> Iterator[Paper]:
    for row in PaperFile(file.path):
        if has_text(row.paper) and in_time(row.date, file) and (key := paper_key(row.paper)) not in seen:
            seen.add(key)
            yield row.paper
