"""From a file with labels of one's own to a configuration, and from that to an artefact that is served."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.training import tiny
from training.__main__ import main
from training.config import read_config


def rows(count: int) -> tiny.Rows:
    """Papers with labels of another library, one of them empty, and a column that is no label."""
    renamed = dict(zip(tiny.LABELS, ("Gardening", "Bee keeping", "Cooking & baking"), strict=True))
    made = [{renamed.get(key, key): value for key, value in row.items()} for row in tiny.papers(count)]
    return [row | {"Unused": 0, "Year": 1990 + i % 30} for i, row in enumerate(made)]


@pytest.fixture
def drafted(tmp_path: Path) -> Path:
    papers = tiny.write_csv(tmp_path / "Our Papers.csv", rows(160))
    path = tmp_path / "run.toml"
    arguments = ["init", str(papers), "--encoder", str(tiny.encoder(tmp_path / "encoder")), "--output", str(path)]
    assert main(arguments) == 0
    return path


def test_a_draft_names_labels_and_measures_lengths(drafted: Path) -> None:
    config, text = read_config(drafted)
    assert config.name == "our-papers"
    assert config.data.labels == ("Gardening", "Bee keeping", "Cooking & baking")
    assert config.input.max_tokens == 32
    assert '# Set aside, 0 of 160 papers have it, too few with it to learn from: "Unused"' in text
    assert '# Left out, holds more than 0 and 1: "Year"' in text


def test_a_draft_is_never_written_over_a_file(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = drafted.read_text()
    assert main(["init", "whatever.csv", "--output", str(drafted)]) == 2
    assert drafted.read_text() == before
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([{"TITLE": "a", "ABSTRACT": "b", "Year": 1999}], "no column holds only 0 and 1; looked at 'Year'"),
        ([{"TITLE": "a", "X": 1}], "no label has enough papers; needed are 16 with and 16 without it"),
        ([{"Heading": "a", "X": 1}], "has neither a column of titles nor one of abstracts"),
        ([{"TITLE": "", "ABSTRACT": " ", "X": 1}], "no row has a title or an abstract"),
    ],
)
def test_a_file_that_gives_no_run_is_told_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: tiny.Rows, said: str
) -> None:
    papers = tiny.write_csv(tmp_path / "p.csv", table)
    encoder = str(tiny.encoder(tmp_path / "encoder"))
    assert main(["init", str(papers), "--encoder", encoder, "--output", str(tmp_path / "run.toml")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_labels_of_one_s_own_go_from_a_file_to_the_service(drafted: Path) -> None:
    # So small an encoder learns only at a rate that would ruin a real one, and its few papers flip easily.
    text = drafted.read_text().replace("learning_rate = 0.0002", "learning_rate = 3e-3")
    text = text.replace("epochs = 8", "epochs = 3")
    drafted.write_text(text + "[gates]\nmicro_f1_loss = 0.2\nflipped = 0.5\n")
    folder = drafted.parent
    assert main(["run", str(drafted), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 0
    with TestClient(create_app(Settings(artefacts=folder / "store"))) as client:
        answer = client.post("/classify", json={"title": "theorem proof algebra", "abstract": "manifold"}).json()
        card = client.get("/model").json()
    assert [label["id"] for label in card["labels"]] == ["gardening", "bee-keeping", "cooking-baking"]
    assert set(answer["probabilities"]) == {"Gardening", "Bee keeping", "Cooking & baking"}
