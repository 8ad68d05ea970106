"""Drafts the configuration of a run from a file of labelled papers: labels found, lengths measured, sizes suggested."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tables
from model_store.papers import InputFormat, Paper, PaperEncoder
from training.data.corpus import label_columns, text_columns
from training.errors import DataError
from training.model.network import load_tokenizer

_BINARY = frozenset({"0", "1"})
# Above a multiple of this many word pieces nothing is gained by a tighter fit.
_STEP = 32
_LONGEST = 512


class Measured(NamedTuple):
    """What a file turned out to hold."""

    papers: int
    positives: dict[str, int]
    """Papers by label; every column of zeros and ones is one."""
    others: tuple[str, ...]
    """Columns that are neither text nor label."""
    median_tokens: int
    long_tokens: int
    """Nineteen of twenty papers are no longer; special tokens not counted."""


def measure(path: Path, encoder: str) -> Measured:
    """Read a file once and measure it with the encoder's own tokenizer.

    Raises DataError if it has no title, no abstract or no column of zeros and ones.
    """
    rows = list(tables.read(path))
    columns = text_columns(path, rows[0])
    title, abstract = columns["title"], columns["abstract"]
    candidates = label_columns(rows[0].cells)
    labels = [column for column in candidates if {str(row.cells[column]).strip() for row in rows} <= _BINARY]
    if not labels:
        raise DataError(f"{path}: no column holds only 0 and 1; looked at {', '.join(candidates) or 'none'}")
    papers = [Paper(str(row.cells[title] or ""), str(row.cells[abstract] or "")) for row in rows]
    lengths = _lengths([paper for paper in papers if "".join(paper).strip()], encoder)
    positives = Counter(label for row in rows for label in labels if str(row.cells[label]).strip() == "1")
    return Measured(
        papers=len(rows),
        positives={label: positives[label] for label in labels},
        others=tuple(column for column in candidates if column not in labels),
        median_tokens=int(np.median(lengths)),
        long_tokens=int(np.percentile(lengths, 95)),
    )


def draft(path: Path, encoder: str, found: Measured) -> str:
    """The TOML of a run over the file, with the reasons as comments."""
    labels = [label for label, positives in found.positives.items() if positives]
    held_out = round(found.papers / 8)
    longest = min(_LONGEST, _round_up(found.long_tokens + 3))
    return f"""\
# A run over {path.name}: {found.papers} papers. Train it: python -m training run THIS_FILE
name = {json.dumps(_name(path))}
version = "0.1.0" # a published version never changes: raise it for the next run
licence = "yours to choose"
seed = 1

[encoder]
# A hub id or a local folder. "allenai/scibert_scivocab_uncased" knows the language of science.
source = {json.dumps(encoder)}

[data]
# Held out for thresholds and figures: about {held_out} papers. Or name a file: validation = "held_out.csv"
validation_share = 0.125
labels = [
{_label_lines(labels, found)}]{_left_out(found)}

[[data.train]]
path = {json.dumps(str(path))}

[input]
# Half of the papers have at most {found.median_tokens} word pieces, nineteen of twenty at most {found.long_tokens}.
max_tokens = {longest}
# Abstracts of full texts: truncation = "head+tail" keeps both ends, chunks = 4 reads four times as much.

[fit]
# Many papers need few epochs; the best one is kept.
epochs = {_epochs(found.papers)}
batch_size = {24 if found.papers > 1000 else 8}
# Fine-tuning on less than serving reads saves time; lower this first where training is slow.
max_tokens = {longest}
# 2e-5 suits BERT-base; encoders of six layers and less take ten times that.
learning_rate = 2e-5
head_learning_rate = 1e-3
# averaging = "ema" steadies short runs. More such settings: "Techniques" in docs/techniques.md.

# Labels that few papers have: "asymmetric", "focal" and "class_balanced" give them more weight than "bce" does.
# [loss]
# kind = "asymmetric"

# Learned when the run is published: calibrated probabilities, and thresholds for the best F1 of each label.
# [calibration]
# method = "platt" # or "temperature", or "none"; the card compares them
# [thresholds]
# aim = "precision"
# at_least = 0.9

# Texts unlike these papers get the status out_of_scope; at most this share of papers gets it by mistake.
[scope]
false_alarms = 0.02

# Let the encoder guess masked words of these papers first; helps most where they are few, and takes its time.
# [pretrain]
# epochs = 10

# Replayed at every start of the service. Replace them by papers of your field, free to publish.
[[golden]]
title = "An example of what our readers send"
abstract = "Two or three sentences in the style of the collection, written by ourselves."

[[golden]]
title = "A title without an abstract"
"""


def _lengths(papers: Sequence[Paper], encoder: str) -> list[int]:
    if not papers:
        raise DataError("no row has a title or an abstract")
    format_ = InputFormat(max_tokens=_LONGEST)
    return [encoding.tokens for encoding in PaperEncoder(load_tokenizer(encoder), format_).encode(papers)]


def _label_lines(labels: Sequence[str], found: Measured) -> str:
    return "".join(
        f"  {json.dumps(label, ensure_ascii=False)}, # {found.positives[label]} papers\n" for label in labels
    )


def _left_out(found: Measured) -> str:
    empty = [label for label, positives in found.positives.items() if not positives]
    notes = [f"\n# Left out, no paper has it: {label}" for label in empty]
    notes += [f"\n# Left out, holds more than 0 and 1: {column}" for column in found.others]
    return "".join(notes)


def _epochs(papers: int) -> int:
    return 2 if papers > 50_000 else 4 if papers > 5_000 else 8


def _round_up(tokens: int) -> int:
    return -(-tokens // _STEP) * _STEP


def _name(path: Path) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in path.name.split(".")[0])
    return "-".join(words.lower().split()) or "papers"
