"""TF-IDF with logistic regression on the same papers: what the network has to beat to be worth its price."""

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from model_store.papers import Paper
from training.corpus import Corpus
from training.metrics import headline
from training.thresholds import best_thresholds


def baseline(corpus: Corpus) -> dict[str, float]:
    """Train on the corpus's training papers, measure on its validation papers.

    Thresholds are chosen per label on the validation papers, as they are for the network.
    """
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_df=0.5, sublinear_tf=True, strip_accents="unicode"),
        OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000, solver="liblinear")),
    )
    model.fit([_text(paper) for paper in corpus.train.papers], corpus.train.targets)
    scores: NDArray[np.float32] = model.predict_proba([_text(paper) for paper in corpus.validation.papers])
    targets = corpus.validation.targets
    return headline(targets, scores, best_thresholds(targets, scores))


def _text(paper: Paper) -> str:
    return f"{paper.title}\n{paper.abstract}"
