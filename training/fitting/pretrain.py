"""Further pre-training with masked words on papers of the field, before fine-tuning (Sun et al. 2019, section 5.4).

Their second task, whether one sentence follows the other, is left out: a title and its abstract always belong together.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import (
    AutoTokenizer,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from model_store.papers import InputFormat, Paper, PaperEncoder
from training.config import EncoderConfig, PretrainConfig
from training.data.batches import LengthGroupedSampler
from training.errors import ConfigError
from training.fitting.checkpoints import last_checkpoint
from training.fitting.loop import arguments
from training.fitting.progress import MetricsFile
from training.model.pretrained import load_config

_LOG = logging.getLogger("training")

# The target that torch's cross entropy ignores.
_NOT_MASKED = -100


class MaskedWordModel(BertForMaskedLM):  # type: ignore[misc]  # transformers is untyped
    """BERT with its head for masked words, applied to the masked positions only.

    With a vocabulary of 30,000 the head costs as much per word piece as all six layers of MiniLM,
    and 85 % of the word pieces are not masked.
    """

    accepts_loss_kwargs = True
    # Tied to the word pieces' vectors, so checkpoints hold them once.
    _keys_to_ignore_on_save = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The loss: a sum over masked words, divided by their number in the whole batch over all processes."""
        hidden = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
        masked = labels != _NOT_MASKED
        loss = torch.nn.functional.cross_entropy(self.cls(hidden[masked]).float(), labels[masked], reduction="sum")
        words = masked.sum() if num_items_in_batch is None else num_items_in_batch
        return {"loss": loss / words.clamp(min=1)}


class MaskedPapers(Dataset[dict[str, Tensor]]):
    """Papers with some of their word pieces masked; the mask changes with every epoch.

    A paper is requested by the index epoch × papers + paper, and its mask depends on that index and
    the seed alone, so that a resumed run and several processes see what one uninterrupted process
    sees. transformers' own collator draws from one generator, whose state is neither saved with a
    checkpoint nor shared among processes.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, form: InputFormat, papers: Sequence[Paper], config: PretrainConfig,
        seed: int,
    ) -> None:  # fmt: skip
        self._encodings = PaperEncoder(tokenizer.backend_tokenizer, form).encode(papers)
        self._special = frozenset(tokenizer.all_special_ids)
        self._tokenizer = tokenizer
        self._seed = seed
        self._mask = DataCollatorForLanguageModeling(
            tokenizer,
            mlm_probability=config.mask_share,
            whole_word_mask=config.whole_words,
            # With whole words the library supports no random replacement.
            mask_replace_prob=1.0 if config.whole_words else 0.8,
            random_replace_prob=0.0 if config.whole_words else 0.1,
        )

    def __len__(self) -> int:
        return len(self._encodings)

    def __getitem__(self, drawn: int) -> dict[str, Tensor]:
        encoding = self._encodings[drawn % len(self)]
        ids = encoding.input_ids
        state = int(np.random.SeedSequence([self._seed, drawn]).generate_state(1, np.uint64)[0])
        self._mask.generator = torch.Generator().manual_seed(state)
        masked, labels = self._mask.torch_mask_tokens(
            torch.tensor([ids]),
            special_tokens_mask=torch.tensor([[piece in self._special for piece in ids]]),
            offset_mapping=self._offsets(ids) if self._mask.whole_word_mask else None,
        )
        return {
            "input_ids": masked[0],
            "attention_mask": torch.ones_like(masked[0]),
            "token_type_ids": torch.tensor(encoding.token_type_ids),
            "labels": labels[0],
        }

    @property
    def lengths(self) -> list[int]:
        """Tokens of each paper, special ones included."""
        return [len(encoding.input_ids) for encoding in self._encodings]

    def _offsets(self, ids: list[int]) -> Tensor:
        """Character bounds by which the collator recognizes words: those of one word touch, those of two do not."""
        pieces = self._tokenizer.convert_ids_to_tokens(ids)
        # "##" marks a word piece that continues the word before it.
        continued = [piece.startswith("##") for piece in pieces[1:]] + [False]
        return torch.tensor([[[2 * i, 2 * i + 1 + touching] for i, touching in enumerate(continued)]])


def pretrain(
    encoder: EncoderConfig,
    papers: Sequence[Paper],
    config: PretrainConfig,
    form: InputFormat,
    *,
    seed: int,
    folder: Path,
    resume: bool,
) -> MaskedWordModel:
    """Train the encoder on masked words of the papers, laid out as `form` says; returns it with its head.

    Writes checkpoints, TensorBoard events and `metrics.jsonl` below `folder`. With `resume` it
    continues from the last complete checkpoint, if there is one. Raises ConfigError if the encoder
    is not a BERT, or if a batch cannot be divided evenly among the processes.
    """
    model = _load(encoder)
    tokenizer = AutoTokenizer.from_pretrained(encoder.source, use_fast=True)
    masked = MaskedPapers(tokenizer, form, papers, config, seed)
    trainer = _MaskedWordTrainer(
        model=model,
        args=_arguments(config, len(papers), seed, folder),
        train_dataset=masked,
        data_collator=_Padding(tokenizer.pad_token_id),
        callbacks=[MetricsFile(folder / "metrics.jsonl")],
    )
    trainer.batch_size = config.batch_size
    last = last_checkpoint(folder) if resume else None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return model


def save_encoder(encoder: Any, source: str, folder: Path) -> None:
    """Write an encoder without heads, and the tokenizer of `source`, in the Hugging Face layout."""
    encoder.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, use_fast=True).save_pretrained(folder)


class _MaskedWordTrainer(Trainer):  # type: ignore[misc]
    batch_size: int

    def _get_train_sampler(self, train_dataset: MaskedPapers | None = None) -> "_DrawnPapers":
        papers = train_dataset or self.train_dataset
        return _DrawnPapers(papers.lengths, self.batch_size, self.args.seed)


class _DrawnPapers(LengthGroupedSampler):
    """The same order, as indices that include the epoch; see MaskedPapers."""

    def __iter__(self) -> Iterator[int]:
        first = self._epoch * len(self._lengths)
        order = super().__iter__()
        return (first + paper for paper in order)


class _Padding:
    """Makes a batch of rows, padded to its longest paper; all tensors have shape (papers, tokens)."""

    def __init__(self, pad_id: int) -> None:
        self._fill = {"input_ids": pad_id, "attention_mask": 0, "token_type_ids": 0, "labels": _NOT_MASKED}

    def __call__(self, rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        pad = torch.nn.utils.rnn.pad_sequence
        return {
            name: pad([row[name] for row in rows], batch_first=True, padding_value=fill)
            for name, fill in self._fill.items()
        }


def _arguments(config: PretrainConfig, papers: int, seed: int, folder: Path) -> TrainingArguments:
    return arguments(
        folder,
        batch_size=config.batch_size,
        precision=config.precision,
        seed=seed,
        num_train_epochs=config.epochs,
        max_steps=config.steps or -1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        save_steps=config.checkpoint_steps,
        save_total_limit=2,
        logging_steps=max(1, math.ceil(papers / config.batch_size) // 10),
    )


def _load(encoder: EncoderConfig) -> MaskedWordModel:
    config = load_config(encoder.source)
    if config.model_type != "bert":
        raise ConfigError(
            f"encoder {encoder.source!r} is of type {config.model_type!r}; further pre-training expects 'bert', "
            "such as bert-base-uncased. Leave [pretrain] out"
        )
    if encoder.dropout is not None:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = encoder.dropout
    with _without_weight_report():
        model, found = MaskedWordModel.from_pretrained(
            encoder.source, config=config, attn_implementation=encoder.attention, output_loading_info=True
        )
    if found["missing_keys"]:
        _LOG.info("%s has no head for masked words; a new one is tied to the word embeddings", encoder.source)
    return model  # type: ignore[no-any-return]


@contextmanager
def _without_weight_report() -> Iterator[None]:
    # transformers reports missing and unused weights in a long table. Both are expected here; the caller logs one line.
    log = logging.getLogger("transformers.modeling_utils")
    log.addFilter(_reject)
    try:
        yield
    finally:
        log.removeFilter(_reject)


def _reject(record: logging.LogRecord) -> bool:
    return False
