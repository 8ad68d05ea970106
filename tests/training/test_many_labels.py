"""A table with forty label columns goes all the way to a service that names the most probable labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.data.column_roles import ColumnChoice
from training.drafting.init import init
from training.fitting.speed import Speed

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch"
    ),
]

PLACES = ("rivers", "coasts", "forests", "cities", "glaciers", "deserts", "islands", "lakes")
FIELDS = ("history", "ecology", "chemistry", "law", "soils")
# A label, and the word by which its papers are recognized.
SUBJECTS = {f"{field} of {place}".capitalize(): place + field for place in PLACES for field in FIELDS}


def rows(count: int) -> tiny.Rows:
    """Papers with one or two of the labels, each of which has the same number of papers."""
    rng = np.random.default_rng(0)
    names = list(SUBJECTS)
    table: tiny.Rows = []
    for number in range(count):
        labels = {names[number % len(names)], names[int(rng.integers(len(names)))]}
        words = [SUBJECTS[name] for name in sorted(labels)]
        abstract = [*words * 3, *rng.choice(tiny.GENERAL, size=6).tolist()]
        rng.shuffle(abstract)
        texts: dict[str, object] = {"title": f"{' '.join(words)} {number}", "abstract": " ".join(abstract)}
        table.append(texts | {name: int(name in labels) for name in names})
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a finished run; so small an encoder needs high learning rates."""
    folder = tmp_path_factory.mktemp("many")
    encoder = tiny.encoder(folder / "encoder", SUBJECTS.values())
    config = folder / "run.toml"
    papers = tiny.write_csv(folder / "papers.csv", rows(800))
    init(papers, str(encoder), config, ColumnChoice(), measure=lambda *_: Speed(0.0001, 0))
    text = (
        config.read_text()
        .replace("\nlearning_rate = 0.0002", "\nlearning_rate = 3e-3")
        .replace("epochs = 8", "epochs = 6")
    )
    text = text.replace("head_learning_rate = 1e-3", "head_learning_rate = 3e-2")
    config.write_text(text + '[features]\npool = "mean"\n')
    assert main(["run", str(config), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 0
    return folder


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(artefacts=folder / "store"))) as client:
        yield client


def test_every_label_is_learned_and_described(folder: Path) -> None:
    artefact = Store(folder / "store").open("papers")
    manifest = artefact.manifest
    assert [label.name for label in manifest.labels] == list(SUBJECTS)
    assert len({label.id for label in manifest.labels}) == len(SUBJECTS)
    assert builders.figures(manifest).micro_f1 > 0.8
    assert all(builders.figures(manifest).per_label[label.id].support > 0 for label in manifest.labels)
    assert all(label.name in artefact.card() for label in manifest.labels)


def test_the_most_probable_labels_are_those_of_the_paper(client: TestClient) -> None:
    papers = [{"title": f"a {word}", "abstract": f"of the {word} and we {word}"} for word in SUBJECTS.values()]
    every = client.post("/classify/batch", json={"papers": papers}).json()["results"]
    first = client.post("/classify/batch?top=3", json={"papers": papers}).json()["results"]
    assert all(list(result["probabilities"]) == list(SUBJECTS) for result in every)
    for result, whole in zip(first, every, strict=True):
        ranked = sorted(whole["probabilities"], key=lambda name: -whole["probabilities"][name])
        assert list(result["probabilities"]) == ranked[: max(3, len(result["labels"]))]
    found = [next(iter(result["probabilities"])) == name for name, result in zip(SUBJECTS, first, strict=True)]
    assert sum(found) >= 36


def test_one_paper_and_the_card_name_labels_of_the_table(client: TestClient) -> None:
    word = SUBJECTS["Law of lakes"]
    answer = client.post("/classify?top=5", json={"title": f"a {word}", "abstract": f"of {word} {word}"}).json()
    assert 5 <= len(answer["probabilities"]) <= len(SUBJECTS)
    assert set(answer["labels"]) <= set(answer["probabilities"])
    assert [label["name"] for label in client.get("/model").json()["labels"]] == list(SUBJECTS)
