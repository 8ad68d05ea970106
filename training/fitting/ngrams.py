"""Fits the model of word pieces and pairs, and keeps it in a file."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from training.config import NgramsConfig
from training.data.batches import Collator, EncodedPapers, LengthGroupedSampler
from training.errors import ConfigError
from training.model.losses import rates_as_biases
from training.model.ngrams import Ngrams

# Adagrad divides by the root of the sum of squared gradients, which starts from this much. Starting from 0, the first
# paper with a rare term would move the weights of all labels by the same large step. A much larger value slows down
# what is learned about rare terms, whose gradients are small (training/LOG.md).
_FIRST_SQUARES = 1e-6


def fit_ngrams(
    papers: EncodedPapers, targets: NDArray[np.float32], pieces: int, config: NgramsConfig, *, pad_id: int, seed: int
) -> Ngrams:
    """Minimize the cross-entropy, summed over labels, by Adagrad (Duchi et al. 2011); shows a progress bar.

    `targets` are the labels to learn, shape (papers, labels). Adagrad takes larger steps for weights that are rarely
    updated, such as those of rare terms.
    """
    torch.manual_seed(seed)
    model = Ngrams(pieces, config.buckets, targets.shape[1], config.share)
    with torch.no_grad():
        model.bias.copy_(rates_as_biases(targets))
    optimizer = torch.optim.Adagrad(
        model.parameters(), lr=config.learning_rate, initial_accumulator_value=_FIRST_SQUARES
    )
    sampler, collate = LengthGroupedSampler(papers.lengths, config.batch_size, seed), Collator(pad_id)
    steps = config.epochs * len(sampler) // config.batch_size
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    # Sparse gradients are made by torch itself; unless told so, it warns that they are not checked.
    unchecked = torch.sparse.check_sparse_tensor_invariants(enable=False)  # type: ignore[no-untyped-call]
    with unchecked, tqdm(total=steps, desc="n-grams", unit="batch", mininterval=5) as bar:
        for epoch in range(config.epochs):
            sampler.set_epoch(epoch)
            for batch in np.array(list(sampler)).reshape(-1, config.batch_size):
                rows = collate([papers[int(i)] for i in batch])
                logits = model(rows["input_ids"], rows["attention_mask"])
                loss = nn.functional.binary_cross_entropy_with_logits(
                    logits, torch.from_numpy(targets[batch]), reduction="sum"
                )
                optimizer.zero_grad()
                (loss / len(batch)).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                bar.update()
    return model.eval()


def save_ngrams(model: Ngrams, path: Path, config: NgramsConfig, categories: Sequence[str]) -> None:
    """Write the weights with what they were made from."""
    partial = path.with_suffix(".partial")
    save_file(model.state_dict(), partial, {"made_from": _made_from(config, categories)})
    partial.replace(path)


def load_ngrams(path: Path, pieces: int, config: NgramsConfig, categories: Sequence[str]) -> Ngrams:
    """Read the weights; ConfigError if there are none, or if they were made for other settings or categories."""
    try:
        with safe_open(path, framework="pt") as file:
            made_from = (file.metadata() or {}).get("made_from")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. `python -m training ngrams CONFIG` writes it") from None
    if made_from != _made_from(config, categories):
        raise ConfigError(
            f"{path} was made with other settings in [ngrams] or for other categories; call "
            "`python -m training ngrams CONFIG` again"
        )
    model = Ngrams(pieces, config.buckets, len(categories), config.share)
    model.load_state_dict(weights)
    return model.eval()


def _made_from(config: NgramsConfig, categories: Sequence[str]) -> str:
    settings = config.model_dump(mode="json", exclude={"share"})
    return json.dumps({"settings": settings, "categories": list(categories)})
