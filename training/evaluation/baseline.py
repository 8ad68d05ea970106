"""TF-IDF with logistic regression on the same papers: what the network has to beat to be worth its price."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from model_store.labels import log_odds
from model_store.papers import Paper
from training.data.corpus import Corpus
from training.data.folds import folds
from training.data.papers import Papers
from training.evaluation.metrics import headline
from training.publishing.thresholds import best_thresholds


def baseline(corpus: Corpus) -> dict[str, float]:
    """Train on the corpus's training papers, measure on its validation papers.

    Thresholds are chosen per label on the validation papers, as they are for the network.
    """
    scores = probabilities(corpus.train, corpus.validation.papers)
    targets = corpus.validation.targets
    return headline(targets, scores, best_thresholds(targets, scores))


def held_out_logits(papers: Papers, seed: int) -> NDArray[np.float32]:
    """What it says of each paper after learning from the other folds; log-odds, shape (papers, labels).

    Of papers it has learned from it knows the labels nearly by heart, which is nothing to teach a network.
    """
    logits = np.empty_like(papers.targets)
    for others, own in tqdm(folds(len(papers), seed), desc="baseline", unit="fold"):
        learned = Papers([papers.papers[i] for i in others], papers.targets[others])
        logits[own] = log_odds(probabilities(learned, [papers.papers[i] for i in own]))
    return logits


def probabilities(train: Papers, asked: Sequence[Paper]) -> NDArray[np.float32]:
    """What it says of papers after learning from others; shape (papers, labels)."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_df=0.5, sublinear_tf=True, strip_accents="unicode"),
        OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000, solver="liblinear")),
    )
    model.fit([_text(paper) for paper in train.papers], train.targets)
    scores: NDArray[np.float32] = model.predict_proba([_text(paper) for paper in asked])
    # Of a single label scikit-learn gives two columns, the first for papers without it.
    return scores[:, -train.targets.shape[1] :]


def _text(paper: Paper) -> str:
    return f"{paper.title}\n{paper.abstract}"
