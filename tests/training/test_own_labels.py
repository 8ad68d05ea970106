"""A screening table, one label and no titles, goes all the way to an artefact."""

from pathlib import Path

import pytest

from model_store.papers import Paper
from model_store.store import Artefact, Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.data.column_roles import ColumnChoice
from training.drafting.init import init
from training.fitting.speed import Speed

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch",
    "ignore::FutureWarning",
    "ignore::UserWarning:torch",
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.encoder(tmp_path_factory.mktemp("encoder")))


def published(table: tiny.Rows, encoder: str, folder: Path) -> Artefact:
    """What `init` and `run` make of a table; so small an encoder learns only at a rate that would ruin a real one."""
    config = folder / "run.toml"
    papers = tiny.write_csv(folder / "papers.csv", table)
    init(papers, encoder, config, ColumnChoice(), measure=lambda *_: Speed(0.0001, 0))
    text = config.read_text().replace("learning_rate = 0.0002", "learning_rate = 3e-3")
    config.write_text(text.replace("epochs = 8", "epochs = 3"))
    assert main(["run", str(config), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 0
    return Store(folder / "store").open("papers")


def test_one_label_is_learned_from_papers_with_and_without_it(encoder: str, tmp_path: Path) -> None:
    table: tiny.Rows = [
        {"record_id": row["ID"], "abstract": row["ABSTRACT"], "label_included": row["Physics"]}
        for row in tiny.papers(200)
    ]
    artefact = published(table, encoder, tmp_path)
    quality = builders.figures(artefact.manifest)
    positives = sum(int(str(row["label_included"])) for row in table)
    assert [label.name for label in artefact.manifest.labels] == ["label_included"]
    assert quality.per_label["label-included"].support == pytest.approx(positives / 8, abs=2)
    assert quality.micro_f1 == pytest.approx(quality.per_label["label-included"].f1)
    assert quality.baseline is not None
    scores = artefact.classifier().scores([Paper("", "quantum plasma star"), Paper("", "theorem proof algebra")])
    assert scores[0, 0] > scores[1, 0]
