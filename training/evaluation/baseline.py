"""The baseline: TF-IDF with logistic regression on the same papers."""

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
from training.errors import DataError
from training.evaluation.metrics import headline
from training.publishing.thresholds import best_thresholds


def baseline(corpus: Corpus) -> dict[str, float]:
    """Train on the corpus's training papers, measure on its validation papers; errors as in `probabilities`.

    Thresholds are chosen per label on the validation papers, as they are for the network.
    """
    scores = probabilities(corpus.train, corpus.validation.papers)
    targets = corpus.validation.targets
    return headline(targets, scores, best_thresholds(targets, scores))


def held_out_logits(papers: Papers, seed: int) -> NDArray[np.float32]:
    """Log-odds for each paper from a model trained on the other folds, shape (papers, labels).

    A model fits its own training papers almost perfectly, so a network could learn nothing from its scores for them.
    """
    logits = np.empty_like(papers.targets)
    for others, fold in tqdm(folds(len(papers), seed), desc="baseline", unit="fold"):
        training = Papers([papers.papers[i] for i in others], papers.targets[others])
        logits[fold] = log_odds(probabilities(training, [papers.papers[i] for i in fold]))
    return logits


def probabilities(train: Papers, papers: Sequence[Paper]) -> NDArray[np.float32]:
    """Probabilities for papers from a model trained on others, shape (papers, labels).

    Raises DataError if no word is left that TF-IDF can count: there are too few papers, or too short ones.
    """
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_df=0.5, sublinear_tf=True, strip_accents="unicode"),
        OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000, solver="liblinear")),
    )
    try:
        model.fit([_text(paper) for paper in train.papers], train.targets)
    except ValueError as error:
        raise DataError(f"TF-IDF cannot be trained on {len(train)} papers: {error}") from None
    scores: NDArray[np.float32] = model.predict_proba([_text(paper) for paper in papers])
    # Of a single label scikit-learn gives two columns, the first for papers without it.
    return scores[:, -train.targets.shape[1] :]


def _text(paper: Paper) -> str:
    return f"{paper.title}\n{paper.abstract}"
