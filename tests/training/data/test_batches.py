"""Batches: the same ids as serving, little padding, an order that a restart does not change."""

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler

from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from training.data.batches import Collator, EncodedPapers, LengthGroupedSampler
from training.data.papers import Papers
from training.fitting.distributed import ProcessGroup

PAPERS = [Paper("a quantum star", "of the plasma"), Paper("proof"), Paper("", "the compiler [SEP] " * 20)]


def encoded() -> EncodedPapers:
    encoder = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=16))
    return EncodedPapers(encoder, Papers(PAPERS, np.eye(3, dtype=np.float32)))


def test_training_and_serving_encode_a_paper_to_the_same_ids() -> None:
    serving = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=16)).encode(PAPERS)
    batch = Collator(pad_id=0)([encoded()[i] for i in range(3)])
    for row, encoding in enumerate(serving):
        kept = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][kept].tolist() == encoding.input_ids
        assert batch["token_type_ids"][row][kept].tolist() == encoding.token_type_ids


def test_a_batch_is_padded_to_its_longest_paper_only() -> None:
    batch = Collator(pad_id=0)([encoded()[i] for i in range(2)])
    assert batch["input_ids"].shape == (2, 9)
    assert batch["labels"].dtype == torch.float32
    assert batch["input_ids"][1, 3:].eq(0).all()


def test_papers_of_similar_length_are_neighbours() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 960)
    order = list(LengthGroupedSampler(lengths.tolist(), 8, seed=1))
    spread = [np.ptp(lengths[order[i : i + 8]]) for i in range(0, 960, 8)]
    assert np.mean(spread) < 20
    assert sorted(order) == list(range(960))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = LengthGroupedSampler(list(range(50)), 4, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    torch.manual_seed(1)
    first = order(1, 2)
    torch.manual_seed(2)
    assert order(1, 2) == first
    assert order(1, 3) != first
    assert order(2, 2) != first


@pytest.mark.parametrize(("papers", "batch_size"), [(19, 4), (3, 8), (450, 4), (1, 1)])
def test_every_batch_is_full_and_every_paper_in_one(papers: int, batch_size: int) -> None:
    order = list(LengthGroupedSampler([5 + i % 7 for i in range(papers)], batch_size, seed=1))
    assert len(order) % batch_size == 0
    assert len(order) - papers < batch_size
    assert set(order) == set(range(papers))


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_together_get_the_batches_of_one(processes: int) -> None:
    order = LengthGroupedSampler([5 + i % 7 for i in range(19)], 6, seed=1)
    whole = list(BatchSampler(order, 6, drop_last=False))
    shared = BatchSampler(order, ProcessGroup(processes).per_process(6), drop_last=False)
    shares = zip(*(BatchSamplerShard(shared, processes, rank) for rank in range(processes)), strict=True)
    assert [[paper for share in step for paper in share] for step in shares] == whole
