"""From a file with labels of one's own to a configuration, and from that to an artefact that is served."""

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.training import tiny
from training.__main__ import main
from training.config import read_config
from training.data.column_roles import ColumnChoice
from training.drafting.init import init
from training.fitting.speed import Speed


def rows(count: int) -> tiny.Rows:
    """Papers with labels of another library, one of them empty, and a column that is no label."""
    renamed = dict(zip(tiny.LABELS, ("Gardening", "Bee keeping", "Cooking & baking"), strict=True))
    made = [{renamed.get(key, key): value for key, value in row.items()} for row in tiny.papers(count)]
    return [row | {"Unused": 0, "Year": 1990 + i % 30} for i, row in enumerate(made)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.encoder(tmp_path_factory.mktemp("encoder")))


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
    assert '# Left out, because 0 of 160 papers have it, too few with it to learn from: "Unused"' in text
    assert """# Left out, because it holds more than 0 and 1: "Year" (row 1 holds '1990')""" in text


def test_a_draft_is_never_written_over_a_file(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = drafted.read_text()
    assert main(["init", "whatever.csv", "--output", str(drafted)]) == 2
    assert drafted.read_text() == before
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            [{"TITLE": "a", "ABSTRACT": "b", "Year": 1999}],
            "no column holds only 0 and 1; looked at 'Year' (row 1 holds '1999')",
        ),
        ([{"TITLE": "a", "X": 1}], "no label has enough papers; needed are 16 with and 16 without it"),
        ([{"Heading": "a", "X": 1}], "has neither a column of titles nor one of abstracts"),
        ([{"TITLE": "", "ABSTRACT": " ", "X": 1}], "no row has a title or an abstract"),
        (
            [{"TITLE": "a", "Subjects": "X; Y"}],
            "'Subjects' (row 1 holds 'X; Y'); expected one column per label, with 1 where",
        ),
        ([{"TITLE": f"t{i % 20}", "X": i % 2} for i in range(80)], "of 20 papers have it: 'X' 10"),
        ([{"TITLE": f"t{i}" if i < 20 else "n/a", "X": i % 2} for i in range(80)], "of 20 papers have it: 'X' 10"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: tiny.Rows, said: str
) -> None:
    papers = tiny.write_csv(tmp_path / "p.csv", table)
    encoder = str(tiny.encoder(tmp_path / "encoder"))
    assert main(["init", str(papers), "--encoder", encoder, "--output", str(tmp_path / "run.toml")]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_noticed_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "whatever.csv", "--output", str(tmp_path / "no/run.toml")]) == 2
    assert "no is no folder that can be written to; name another file with --output" in capsys.readouterr().err


def test_a_name_that_cannot_be_written_is_noticed_before_the_encoder_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["init", "caf\udce9.csv", "--encoder", "nowhere", "--output", str(tmp_path / "run.toml")]
    assert main(arguments) == 2
    assert "is not Unicode text" in capsys.readouterr().err


NAMES = (
    ("物理学", "化学", "数学"),
    ("C", "C++", "C#"),
    ("Física", "Fisica", "fisica"),
    ("Author\nKeywords", 'said "so"', "back\\slash"),
    ("MeSH/" + "Diseases/" * 30, "x" * 900, "😀"),
)


@pytest.mark.parametrize("names", NAMES)
def test_labels_of_any_name_are_drafted_and_can_be_run(
    encoder: str, tmp_path: Path, names: tuple[str, str, str]
) -> None:
    renamed = dict(zip(tiny.LABELS, names, strict=True))
    table = [{renamed.get(key, key): value for key, value in row.items()} for row in tiny.papers(90)]
    table = [row | {"left\nout 😀": "words"} for row in table]
    config = draft(tiny.write_csv(tmp_path / "papers😀.csv", table), encoder)
    assert read_config(config)[0].data.labels == names
    assert check(config) == 0


@pytest.mark.parametrize("without", ["TITLE", "ABSTRACT"])
def test_titles_alone_and_abstracts_alone_are_drafted_and_can_be_run(
    encoder: str, tmp_path: Path, without: str
) -> None:
    table = [{key: value for key, value in row.items() if key != without} for row in tiny.papers(90)]
    config = draft(tiny.write_csv(tmp_path / "p.csv", table), encoder)
    assert "none" in next(line for line in config.read_text().splitlines() if line.startswith("# Titles: "))
    assert check(config) == 0


def test_columns_that_were_named_are_written_down(encoder: str, tmp_path: Path) -> None:
    table = [{"Heading": row["TITLE"], "Words": row["ABSTRACT"], "X": i % 2} for i, row in enumerate(tiny.papers(90))]
    papers = tiny.write_csv(tmp_path / "p.csv", table)
    config, _ = read_config(draft(papers, encoder, ColumnChoice("Heading", "Words")))
    assert (config.data.title_column, config.data.abstract_column, config.data.labels) == ("Heading", "Words", ("X",))


def test_rare_labels_are_set_aside_by_name_and_the_rest_can_be_run(encoder: str, tmp_path: Path) -> None:
    table = [row | {"Cartography": int(i == 7), "Everything": 1} for i, row in enumerate(tiny.papers(90))]
    config = draft(tiny.write_csv(tmp_path / "p.csv", table), encoder)
    assert (
        '# Left out, because 1 of 90 papers have it, too few with it to learn from: "Cartography"' in config.read_text()
    )
    assert (
        '# Left out, because 90 of 90 papers have it, too few without it to learn from: "Everything"'
        in config.read_text()
    )
    assert read_config(config)[0].data.labels == tiny.LABELS
    assert check(config) == 0


def test_blank_cells_are_counted_and_said_to_mean_0(encoder: str, tmp_path: Path) -> None:
    rows = ({key: value for key, value in row.items() if value != 0} for row in tiny.papers(90))
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = draft(path, encoder)
    assert read_config(config)[0].data.blank_is_negative
    assert re.search(r"# \d+ cells of the label columns are blank and count as 0", config.read_text())
    assert check(config) == 0


def test_a_blank_cell_of_a_paper_that_does_not_count_is_a_blank_cell(encoder: str, tmp_path: Path) -> None:
    table = [*tiny.papers(90), {"ID": 90, "TITLE": "n/a", "ABSTRACT": ""} | dict.fromkeys(tiny.LABELS, "")]
    config = draft(tiny.write_csv(tmp_path / "p.csv", table), encoder)
    assert "# 3 cells of the label columns are blank and count as 0" in config.read_text()
    assert check(config) == 0


def test_a_text_column_of_categories_does_no_harm_beside_labels(encoder: str, tmp_path: Path) -> None:
    table = [row | {"Categories": "fiction; poems"} for row in tiny.papers(90)]
    config = draft(tiny.write_csv(tmp_path / "p.csv", table), encoder)
    assert read_config(config)[0].data.labels == tiny.LABELS
    assert check(config) == 0


def test_hundreds_of_labels_are_drafted_and_can_be_run(encoder: str, tmp_path: Path) -> None:
    table = [
        {"title": row["TITLE"]} | {f"subject {k}": int((i + k) % 40 < 2) for k in range(200)}
        for i, row in enumerate(tiny.papers(400))
    ]
    config = draft(tiny.write_csv(tmp_path / "p.csv", table), encoder)
    labels = read_config(config)[0].data.labels
    assert labels is not None
    assert len(labels) == 200
    assert check(config) == 0


CASES = Path("../shared/field/cases")


@pytest.mark.shared
@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/field/cases, tables as people have them")
@pytest.mark.parametrize(
    "name",
    [
        "03-screening.csv", "07-labels-c.csv", "07-labels-cjk.csv", "08-labels-blank.csv", "08-labels-bool.csv",
        "08-labels-float.csv", "09-rare-label.csv", "33-sparse-labels.jsonl", "37-header-with-line-break.csv",
    ],
)  # fmt: skip
def test_tables_from_the_field_are_drafted_and_can_be_run(encoder: str, tmp_path: Path, name: str) -> None:
    config = draft(CASES / name, encoder, output=tmp_path / "run.toml")
    assert check(config) == 0


def draft(papers: Path, encoder: str, choice: ColumnChoice | None = None, output: Path | None = None) -> Path:
    """The configuration for a table, on a machine of a speed that is given."""
    path = output or papers.with_name("drafted.toml")
    init(papers, encoder, path, choice or ColumnChoice(), measure=lambda *_: Speed(0.0001, 0))
    return path


def check(config: Path) -> int:
    folder = config.parent
    return main(["check", str(config), "--store", str(folder / "store"), "--runs", str(folder / "runs")])


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
