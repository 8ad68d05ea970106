"""Papers as tensors: encoded by the same code as in serving, batched by length, padded to the longest of a batch."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from model_store.papers import Encoding, PaperEncoder
from training.data.papers import Papers

# Batches are cut from pools of this many batches' worth of papers, sorted by length:
# large enough to leave little padding, small enough to keep the order random.
_POOL = 50
# Papers that are encoded in one call: enough to keep the tokenizer's threads busy.
_SLICE = 10_000


class EncodedPapers(Dataset[dict[str, object]]):
    """Encodings and targets of papers; encoded once, before the first epoch."""

    def __init__(self, encoder: PaperEncoder, papers: Papers) -> None:
        slices = (papers.papers[start : start + _SLICE] for start in range(0, len(papers), _SLICE))
        self.encodings: Sequence[Encoding] = [_compact(e) for some in slices for e in encoder.encode(some)]
        targets = {"labels": papers.targets, "categories": papers.categories, "teacher": papers.teacher}
        self._targets = {name: torch.from_numpy(rows) for name, rows in targets.items() if rows is not None}

    def __len__(self) -> int:
        return len(self.encodings)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"encoding": self.encodings[index], **self.targets(index)}

    def targets(self, index: int) -> dict[str, Tensor]:
        """What is to be learned of a paper."""
        return {name: rows[index] for name, rows in self._targets.items()}

    @property
    def lengths(self) -> list[int]:
        """Tokens of each paper, special ones included."""
        return [len(encoding.input_ids) for encoding in self.encodings]


def _compact(encoding: Encoding) -> Encoding:
    """The same with arrays for lists: a word piece takes 5 bytes instead of 44, which counts over a million papers."""
    return encoding._replace(
        input_ids=cast("list[int]", np.array(encoding.input_ids, dtype=np.int32)),
        token_type_ids=cast("list[int]", np.array(encoding.token_type_ids, dtype=np.int8)),
    )


class Collator:
    """Makes a batch of rows, padded to its longest paper: ids (papers, tokens), labels (papers, labels).

    Papers read in chunks have ids (papers, chunks, tokens), padded to the most chunks among them.
    Papers with finer categories also give `categories` (papers, categories), those with a teacher
    `teacher` (papers, labels).
    """

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: Sequence[dict[str, object]]) -> dict[str, Tensor]:
        encodings = [cast("Encoding", row["encoding"]) for row in rows]
        texts = [encoding.rows() for encoding in encodings]
        fill = {"input_ids": self._pad_id, "attention_mask": 0, "token_type_ids": 0}
        padded = {name: _padded([getattr(text, name) for text in texts], value) for name, value in fill.items()}
        if encodings[0].chunk_tokens is None:
            padded = {name: batch.squeeze(1) for name, batch in padded.items()}
        return {
            **padded,
            **{name: torch.stack([row[name] for row in rows]) for name in rows[0] if name != "encoding"},  # type: ignore[misc]
        }


def batches_by_length(
    papers: EncodedPapers, rows: Sequence[int], size: int, pad_id: int
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """The encoder's inputs for batches of at most `size` of these rows, with the rows of each batch.

    Papers of similar length are in one batch, so that there is little padding.
    """
    lengths, collate = papers.lengths, Collator(pad_id)
    order = sorted(rows, key=lengths.__getitem__)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        collated = collate([papers[row] for row in batch])
        yield batch, {name: collated[name] for name in ("input_ids", "attention_mask", "token_type_ids")}


def _padded(arrays: Sequence[NDArray[np.int64]], value: int) -> Tensor:
    """Arrays (rows, tokens) of any sizes as one tensor (arrays, rows, tokens)."""
    batch = np.full((len(arrays), *np.max([array.shape for array in arrays], axis=0)), value, dtype=np.int64)
    for place, array in zip(batch, arrays, strict=True):
        place[: array.shape[0], : array.shape[1]] = array
    return torch.from_numpy(batch)


class LengthGroupedSampler(Sampler[int]):
    """A random order for each epoch in which papers of similar length are neighbours.

    The order depends on seed and epoch alone, so that a resumed run continues with the same batches;
    transformers' own sampler draws from the global generator, whose state is lost on a restart. The
    last batch is filled up with papers drawn before, so that all batches are full and several
    processes together get the same batches as one process.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loop at the start of each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._lengths) // self._batch_size) * self._batch_size

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = np.resize(rng.permutation(len(self._lengths)), len(self))
        pool = _POOL * self._batch_size
        batches = []
        for start in range(0, len(order), pool):
            papers = order[start : start + pool]
            papers = papers[np.argsort(self._lengths[papers], kind="stable")]
            batches += list(papers.reshape(-1, self._batch_size))
        rng.shuffle(batches)
        return iter(np.concatenate(batches).tolist())
