"""Mixes the head of the categories with the model of word pieces and pairs, at several shares, in fp32.

    python -m benchmarks.ngram_share training/configs/full.toml

Reads the fitted files of the run and prints a Markdown table of figures on the validation papers of its artefact of
categories. Thresholds and calibration are those of other papers.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmarks.thresholds import decided_by_others
from model_store.papers import PaperEncoder
from training.config import ThresholdsConfig
from training.data.batches import EncodedPapers
from training.evaluation.metrics import headline, most_probable_is_right
from training.fitting import teacher
from training.model.network import SubjectNetwork
from training.model.ngrams import Ngrams
from training.model.pretrained import pad_id, read_tokenizer
from training.publishing.calibration import logistic
from training.publishing.edition import further_edition, main_edition
from training.publishing.thresholds import choose
from training.run import TrainingRun
from training.stages import load_fitted

_SHARES = (0.0, 0.2, 0.3, 0.35, 0.4, 0.5, 1.0)
# Average precision on fewer papers is mostly chance.
_FEWEST = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the validation papers by both and print a row for each share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="the run's TOML file")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    head, wide, targets = _logits(TrainingRun.open(options.config, options.runs))
    print("| share | micro-F1 | macro-F1 | mean average precision | most probable is right |\n|---|---|---|---|---|")
    for share in _SHARES:
        logits = (1 - share) * head + share * wide
        figures = " | ".join(f"{figure:.4f}" for figure in _figures(targets, logistic(logits)))
        print(f"| {share:g} | {figures} |", flush=True)


def _logits(run: TrainingRun) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Logits of the head and of the word pieces and pairs, and targets; all have shape (papers, categories)."""
    network = load_fitted(run)
    wanted = next(artefact for artefact in run.config.publish if artefact.labels == "categories")
    edition = further_edition(main_edition(run, network, None), network, run, wanted)
    categorized, tokenizer = cast("SubjectNetwork", edition.network), read_tokenizer(run.config.encoder.source)
    ngrams = cast("Ngrams", categorized.ngrams)
    papers = EncodedPapers(PaperEncoder(tokenizer, run.config.input), edition.validation)
    with torch.no_grad():
        wide = [ngrams(*(torch.from_numpy(array) for array in encoding.rows()[:2])) for encoding in papers.encodings]
    categorized.ngrams = None
    head = teacher.score(categorized, papers, pad_id(tokenizer))
    return head.astype(np.float64), torch.cat(wide).double().numpy(), edition.validation.targets


def _figures(targets: NDArray[np.float32], scores: NDArray[np.float64]) -> list[float]:
    decided = decided_by_others(targets, scores, lambda t, s: choose(t, s, ThresholdsConfig()), seed=0)
    found = headline(targets, decided.astype(np.float64), [0.5] * targets.shape[1])
    frequent = targets.sum(axis=0) >= _FEWEST
    precision = average_precision_score(targets[:, frequent] > 0, scores[:, frequent], average="macro")
    return [found["micro_f1"], found["macro_f1"], float(precision), most_probable_is_right(targets, scores)]


if __name__ == "__main__":
    main()
