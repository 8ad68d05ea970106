"""A run that could not be published is refused before it starts, in one sentence."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import DistilBertConfig, ElectraConfig, PreTrainedConfig, RobertaConfig

from model_store.errors import PaperError
from model_store.papers import Paper
from tests.training import tiny
from training import stages
from training.__main__ import main
from training.run import TrainingRun


def refusal(capsys: pytest.CaptureFixture[str], config: Path, command: str = "check") -> str:
    folder = config.parent
    assert main([command, str(config), "--runs", str(folder / "runs"), "--store", str(folder / "store")]) == 2
    said = message(capsys)
    assert not (folder / "runs/tiny-0.1.0/checkpoints").exists()
    return said


def message(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said to the user: one line after "error: ". The library's progress may stand above it."""
    written = capsys.readouterr().err
    before, found, said = written.rpartition("error: ")
    assert found, written
    assert "Traceback" not in before
    assert said.count("\n") == 1
    return said


def test_a_run_that_can_be_published_passes(tmp_path: Path) -> None:
    config = tiny.config(tmp_path)
    assert main(["check", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0


def test_a_taken_version_is_noticed_before_any_paper_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config(tmp_path)
    (tmp_path / "store/tiny/0.1.0").mkdir(parents=True)
    (tmp_path / "train.csv").unlink()
    assert "already published" in refusal(capsys, config)


def test_a_store_that_cannot_be_written_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny.config(tmp_path)
    (tmp_path / "file").touch()
    store = str(tmp_path / "file/store")
    assert main(["check", str(config), "--runs", str(tmp_path / "runs"), "--store", store]) == 2
    assert "file/store cannot be written" in capsys.readouterr().err


CUT_AFTER_1 = '[exits]\nlayers = [1]\nheads = 0\n[[publish]]\nname = "small"\nversion = "0.1.0"\ncut_after = 1\n'


@pytest.mark.parametrize(
    ("within", "extra", "said"),
    [
        ({"input": "max_tokens = 100"}, "", "input.max_tokens is 100, the encoder .* reads at most 64"),
        ({"input": 'sep_token = "</s>"'}, "", r"input.sep_token is '</s>', which the encoder's tokenizer"),
        ({"scope": "layer = 9"}, "", r"\[scope\] layer is 9, the encoder has 2"),
        (
            {"scope": "layer = 2"},
            "[exits]\nlayers = [1]\n",
            r"\[scope\] layer is 2, but the first exit is 1;",
        ),
        ({"scope": "layer = 2"}, CUT_AFTER_1, r"\[scope\] layer is 2, but the `cut_after` of an artefact .* is 1"),
        ({}, "[exits]\nlayers = [9]\n", r"\[exits\] names layers \[9\]; expected layers from 1 to 1"),
        ({"fit": 'continue_from = "absent.safetensors"'}, "", "absent.safetensors cannot be read as the weights"),
        ({}, '[teacher]\nscores = ["absent.npz"]\n', "absent.npz: cannot be read as a teacher's scores"),
        ({}, "[pretrain]\n[teacher]\nscores = ['absent.npz']\n", "absent.npz: cannot be read"),
    ],
)
def test_a_configuration_that_fails_later_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], within: dict[str, str], extra: str, said: str
) -> None:
    config = tiny.config(tmp_path, extra=extra, within=within)
    if "max_tokens" in within.get("input", ""):
        config.write_text(config.read_text().replace("max_tokens = 32\n", "", 1))
    assert re.search(said, refusal(capsys, config, "run"))


def test_a_precision_that_no_threshold_can_be_chosen_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config(tmp_path, extra='[thresholds]\naim = "precision"\nat_least = 0.8\n')
    rows = tiny.papers(60, seed=1)
    for number, row in enumerate(rows):
        row["Physics"] = int(number == 0)
        row["Mathematics"] = 1
    tiny.write_csv(tmp_path / "validation.csv.gz", rows)
    assert "label 'Physics' has 1 of 60 validation papers, too few to choose a threshold" in refusal(capsys, config)


def categorized(path: Path, rows: tiny.Rows) -> str:
    """The rows in arXiv's layout, with the words of an abstract as categories; returns the path in TOML."""
    lines = ({"title": row["TITLE"], "abstract": row["ABSTRACT"], "categories": row["ABSTRACT"]} for row in rows)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return json.dumps(str(path))


WORDS = """
[auxiliary]
column = "ABSTRACT"
fewest = 30
[[publish]]
name = "words"
version = "0.1.0"
labels = "categories"
"""


@pytest.mark.parametrize("key", ["validation", "test"])
def test_papers_of_categories_that_are_trained_on_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    # Training papers have seed 0.
    rows = {name: tiny.papers(30, seed=5) + (tiny.papers(7) if name == key else []) for name in ("validation", "test")}
    files = (f"{name} = {categorized(tmp_path / f'{name}.jsonl', some)}\n" for name, some in rows.items())
    said = refusal(capsys, tiny.config(tmp_path, extra=WORDS + "".join(files)))
    assert f"words: 7 of the 37 papers of {tmp_path / key}.jsonl are also training papers" in said
    assert "Name the file in data.held_out" in said


def test_papers_of_categories_that_the_ngrams_are_fitted_on_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = json.dumps(str(tiny.write_csv(tmp_path / "others.csv", tiny.papers(60, seed=5))))
    validation = f"validation = {categorized(tmp_path / 'v.jsonl', tiny.papers(30, seed=5))}\n"
    config = tiny.config(tmp_path, extra=f"{WORDS}{validation}[[ngrams.train]]\npath = {others}\n")
    assert "words: 30 of the 30 papers" in refusal(capsys, config, "ngrams")


def test_a_golden_paper_without_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny.config(tmp_path, extra='[[golden]]\ntitle = " "\n')
    assert main(["check", str(config), "--runs", str(tmp_path / "runs")]) == 2
    assert "a golden paper needs a title or an abstract" in capsys.readouterr().err


def test_a_golden_paper_that_is_a_placeholder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny.config(tmp_path, extra='[[golden]]\ntitle = "n/a"\n', within={"input": 'preparation = "plain-text"'})
    assert "the golden paper 'n/a' has no text after its preparation (plain-text)" in refusal(capsys, config)


# roberta-base has token types, but one of them only.
OTHERS = (DistilBertConfig(), RobertaConfig(type_vocab_size=1), ElectraConfig())


@pytest.mark.parametrize("other", OTHERS, ids=[other.model_type for other in OTHERS])
@pytest.mark.parametrize("command", ["check", "init"])
def test_encoders_of_other_kinds_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: PreTrainedConfig, command: str
) -> None:
    config = tiny.config(tmp_path)
    (tmp_path / "encoder/config.json").write_text(json.dumps(other.to_dict()))
    if command == "check":
        said = refusal(capsys, config)
    else:
        papers, output = str(tmp_path / "train.csv"), str(tmp_path / "new.toml")
        assert main(["init", papers, "--encoder", str(tmp_path / "encoder"), "--output", output]) == 2
        said = message(capsys)
    assert "expected one of the BERT family" in said


def test_an_encoder_without_token_types_needs_an_input_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config(tmp_path)
    tiny.without_token_types(tmp_path / "encoder")
    assert "or `token_types = false` in [input]" in refusal(capsys, config)
    config.write_text(config.read_text().replace("[input]", "[input]\ntoken_types = false"))
    assert main(["check", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("empty", "is a folder, but holds no encoder in the Hugging Face layout"),
        ("no/such-encoder", "is neither a folder nor in the cache, and could not be fetched"),
    ],
)
def test_an_encoder_that_cannot_be_loaded_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    config = tiny.config(tmp_path)
    config.write_text(config.read_text().replace(json.dumps(str(tmp_path / "encoder")), json.dumps(source)))
    assert said in refusal(capsys, config, "run")


def test_a_damaged_encoder_is_one_sentence_and_costs_no_earlier_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config(tmp_path)
    (tmp_path / "encoder/model.safetensors").write_bytes(b"damaged" * 100)
    earlier = tmp_path / "runs/tiny-0.1.0/network.safetensors"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"hours of work")
    assert main(["fit", str(config), "--runs", str(tmp_path / "runs")]) == 2
    assert "encoder' is a folder, but holds no encoder in the Hugging Face layout" in capsys.readouterr().err
    assert earlier.read_bytes() == b"hours of work"


def test_a_paper_that_cannot_be_encoded_costs_no_earlier_network(tmp_path: Path) -> None:
    run = TrainingRun.open(tiny.config(tmp_path), tmp_path / "runs")
    run.dir.weights.write_bytes(b"hours of work")
    validation = replace(run.corpus.validation, papers=[Paper("")] * len(run.corpus.validation))
    with pytest.raises(PaperError):
        stages.fit(replace(run, corpus=replace(run.corpus, validation=validation)), resume=False)
    assert run.dir.weights.read_bytes() == b"hours of work"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda folder: [path.unlink() for path in folder.glob("*token*")],
            "has no vocabulary; expected tokenizer.json",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "but holds no encoder"),
        (lambda folder: shrink(folder / "config.json"), "word pieces, its weights have 7"),
    ],
    ids=["no tokenizer", "cut weights", "another tokenizer"],
)
def test_an_encoder_whose_files_do_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], said: str
) -> None:
    config = tiny.config(tmp_path)
    damage(tmp_path / "encoder")
    assert said in refusal(capsys, config)


def shrink(config: Path) -> None:
    """Let the encoder have embeddings of seven word pieces."""
    config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": 7}))
