"""Detectors of texts out of scope, side by side on the states of one fitted network.

    python -m benchmarks.detectors training/configs/full.toml --runs runs

Every detector marks two in a hundred validation papers, with a threshold of its own for titles without abstracts. The
columns are the shares of the testing half of `training/out_of_scope` that it marks: texts that are not papers, and
scholarly texts of other fields. The last one is the share of papers marked that are in scope and close to other fields.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from benchmarks.markdown import table
from model_store.papers import Paper, PaperEncoder
from training.model.network import SubjectNetwork
from training.model.pretrained import read_tokenizer
from training.publishing.scope import Detector, States, at_several_lengths, fit_detector, outliers, read_texts
from training.run import TrainingRun
from training.stages import load_fitted

_FALSE_ALARMS = 0.02
_NEIGHBOURS = 10
# In scope, though close to other fields; see the tests of the scope.
_APPLIED = Path("tests/training/publishing/applied_papers.jsonl")

Scores = NDArray[np.floating]


class Measured(NamedTuple):
    """What a network computes for some texts."""

    means: Scores
    """Mean states, (texts, layers, hidden); layer 0 is the embeddings."""
    cls: Scores
    """CLS states, likewise."""
    energy: Scores
    """Joint energy, (texts,): Wang et al. 2021, equation 4, negated, so that it is large for outliers."""
    tokens: NDArray[np.int64]

    def mean_states(self, layer: int) -> States:
        """The mean states of one layer, with the numbers of tokens."""
        return States(self.means[:, layer], self.tokens)


class Sets(NamedTuple):
    """The texts, measured."""

    train: Measured
    outliers: Measured
    whole: Measured
    titles: Measured
    texts: Measured
    applied: Measured


Score = Callable[[Measured], Scores]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run that has been fitted")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: %(default)s")
    parser.add_argument("--papers", type=int, default=2400, help="to learn from (default: %(default)s)")
    parser.add_argument("--validation", type=int, default=1500, help="papers (default: %(default)s)")
    options = parser.parse_args(arguments)
    run = TrainingRun.open(options.config, options.runs)
    encoder = PaperEncoder(read_tokenizer(run.config.encoder.source), run.config.input)
    texts = [text for text in read_texts() if encoder.has_text(text.paper)]
    tested = [text for text in texts if text.half == "testing"]
    rng = np.random.default_rng(run.config.seed)
    papers = [run.corpus.train.papers[i] for i in rng.permutation(len(run.corpus.train))[: options.papers]]
    validation = run.corpus.validation.papers[: options.validation]
    applied = [json.loads(line) for line in _APPLIED.read_text(encoding="utf-8").splitlines()]
    network = load_fitted(run)
    sets = Sets(
        *(
            measure(network, encoder, some)
            for some in (
                at_several_lengths(papers),
                outliers(texts),
                validation,
                [Paper(paper.title) for paper in validation],
                [text.paper for text in tested],
                [Paper(row["title"], row["abstract"]) for row in applied],
            )
        )
    )
    title_only = np.array([not text.abstract.strip() for text in tested])
    scholarly = np.array([text.kind.startswith(("scholarly: ", "near misses")) for text in tested])
    header = ("detector", "no papers", "other fields", "applied papers in scope")
    rows = []
    for name, score in detectors(sets):
        limit, title_limit = (np.quantile(score(some), 1 - _FALSE_ALARMS) for some in (sets.whole, sets.titles))
        found = score(sets.texts) > np.where(title_only, title_limit, limit)
        shares = found[~scholarly].mean(), found[scholarly].mean(), (score(sets.applied) > limit).mean()
        rows.append((name, *(f"{share:.0%}" for share in shares)))
    print(table(header, rows))
    return 0


@torch.no_grad()
def measure(network: SubjectNetwork, encoder: PaperEncoder, papers: Sequence[Paper]) -> Measured:
    """Run every text by itself; those without text are left out."""
    means, cls, energy, tokens = [], [], [], []
    for encoding in tqdm(encoder.encode([paper for paper in papers if encoder.has_text(paper)]), mininterval=5):
        ids, mask, types = (torch.from_numpy(array) for array in encoding.rows())
        output = network.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True)
        hidden = torch.stack(output.hidden_states)[:, 0]
        means.append(hidden.mean(dim=1).numpy())
        cls.append(hidden[:, 0].numpy())
        energy.append(
            -float(torch.nn.functional.softplus(network.head(network.read(output.hidden_states, mask))).sum())
        )
        tokens.append(len(encoding.input_ids))
    return Measured(np.stack(means), np.stack(cls), np.array(energy), np.array(tokens))


def detectors(sets: Sets) -> Iterator[tuple[str, Score]]:
    """Name and score of each detector; a high score means an outlier."""
    layers = sets.train.means.shape[1]
    distances = [fit_detector(sets.train.mean_states(layer)) for layer in range(layers)]
    for layer in range(1, layers):
        yield f"Mahalanobis, mean state of layer {layer}", _of_layer(distances[layer], layer)
    several = [_of_layer(distances[layer], layer) for layer in (2, 3, 4)]
    yield "Mahalanobis, layers 2 to 4 together", lambda some: np.sum([score(some) for score in several], axis=0)
    of_cls = fit_detector(States(sets.train.cls[:, -1], sets.train.tokens))
    yield "Mahalanobis, CLS state of the last layer", lambda some: of_cls(States(some.cls[:, -1], some.tokens))
    neighbours = NearestNeighbors(n_neighbors=_NEIGHBOURS, metric="cosine").fit(sets.train.cls[:, -1])
    yield f"{_NEIGHBOURS}th nearest paper, CLS state", lambda some: neighbours.kneighbors(some.cls[:, -1])[0][:, -1]
    yield "joint energy", lambda some: some.energy
    for layer in (2, 3, 4):
        learned = distances[layer].fitted_with_outliers(sets.train.mean_states(layer), sets.outliers.mean_states(layer))
        yield f"Mahalanobis and outlier head, layer {layer}", _of_layer(learned, layer)


def _of_layer(detector: Detector, layer: int) -> Score:
    return lambda some: detector(some.mean_states(layer))


if __name__ == "__main__":
    sys.exit(main())
