"""Knowledge distillation: scores of a teacher on the training papers, written by one run and read by another."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from model_store.classifier import Classifier
from model_store.errors import PaperError
from model_store.labels import log_odds
from model_store.papers import Paper
from model_store.text import collapse_whitespace
from training.data.batches import EncodedPapers, batches_by_length
from training.data.papers import Papers
from training.errors import DataError
from training.model.network import SubjectNetwork

_BATCH = 32


def score(network: SubjectNetwork, papers: EncodedPapers, pad_id: int) -> NDArray[np.float32]:
    """Logits of all papers, shape (papers, labels); shows a progress bar."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    logits = np.empty((len(papers), network.labels), dtype=np.float32)
    batches = batches_by_length(papers, range(len(papers)), _BATCH, pad_id)
    total = -(-len(papers) // _BATCH)
    with torch.inference_mode():
        for batch, inputs in tqdm(batches, desc="score", total=total, unit="batch", mininterval=5):
            placed = {name: tensor.to(device) for name, tensor in inputs.items()}
            logits[batch] = network(**placed)["logits"].float().cpu().numpy()
    return logits


def score_as_served(classifier: Classifier, papers: Sequence[Paper], threads: int) -> NDArray[np.float32]:
    """Log-odds of a published artefact's probabilities, shape (papers, labels); `threads` papers run in parallel.

    Raises DataError with the number of a paper whose text is empty after its preparation.
    """

    def row(number: int) -> NDArray[np.float32]:
        try:
            return np.asarray(classifier.scores([papers[number]])[0])
        except PaperError as error:
            raise DataError(f"training paper {number + 1}: {error}") from None

    with ThreadPoolExecutor(threads) as pool:
        rows = pool.map(row, range(len(papers)))
        scores = np.stack(list(tqdm(rows, desc="score", total=len(papers), unit="paper", mininterval=5)))
    return log_odds(scores).astype(np.float32)


def write_scores(path: Path, papers: Papers, labels: Sequence[str], logits: NDArray[np.float32]) -> None:
    """Write logits, shape (papers, labels), with the names of the labels and a fingerprint of each paper."""
    np.savez_compressed(path, papers=_fingerprints(papers.papers), labels=np.array(labels), logits=logits)


def read_scores(paths: Sequence[Path], papers: Papers, labels: Sequence[str]) -> NDArray[np.float32]:
    """Logits of these papers, shape (papers, labels), averaged over the files.

    The files may hold more papers, and papers and labels in another order. Raises DataError if a
    file cannot be read, lacks a paper, or has other labels.
    """
    logits = np.stack([_read_file(path, papers, labels) for path in paths])
    averaged: NDArray[np.float32] = logits.mean(axis=0)
    return averaged


def _read_file(path: Path, papers: Papers, labels: Sequence[str]) -> NDArray[np.float32]:
    try:
        with np.load(path, allow_pickle=False) as file:
            known, names, logits = file["papers"].tolist(), file["labels"].tolist(), file["logits"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read as a teacher's scores; `training score` writes them: {error}"
        ) from None
    if sorted(names) != sorted(labels):
        raise DataError(f"{path}: scores labels {', '.join(names)}; expected {', '.join(labels)}")
    rows = {fingerprint: row for row, fingerprint in enumerate(known)}
    wanted = _fingerprints(papers.papers).tolist()
    if missing := sum(fingerprint not in rows for fingerprint in wanted):
        raise DataError(
            f"{path}: has no scores for {missing} of {len(wanted)} training papers; write it again with "
            "`training score`, from a run on the same [data]"
        )
    columns = [names.index(label) for label in labels]
    found: NDArray[np.float32] = logits[np.ix_([rows[fingerprint] for fingerprint in wanted], columns)]
    return found


def _fingerprints(papers: Sequence[Paper]) -> NDArray[np.str_]:
    return np.array(
        [hashlib.sha256("\0".join(map(collapse_whitespace, paper)).encode()).hexdigest()[:32] for paper in papers]
    )
