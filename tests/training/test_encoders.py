"""Encoders that are no BERT: without token types, fine-tuned, published and used as a teacher."""

from pathlib import Path

import pytest

from model_store.store import Store
from tests.training import tiny
from training.__main__ import main
from training.data.corpus import read_papers
from training.evaluation.metrics import mean_average_precision

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch"
)


def test_an_encoder_without_token_types_is_fine_tuned_and_published(tmp_path: Path) -> None:
    config = tiny.config(tmp_path, within={"input": "token_types = false\nseparators = 2"})
    tiny.without_token_types(tmp_path / "encoder")
    assert main(["run", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0
    artefact = Store(tmp_path / "store").open()
    assert artefact.golden().replay(artefact.classifier()) < 1e-4
    _, papers = read_papers(tmp_path / "validation.csv.gz")
    scores = artefact.classifier().scores(papers.papers)
    assert mean_average_precision(papers.targets, scores) > 0.9
