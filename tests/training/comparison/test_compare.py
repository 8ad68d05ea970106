"""A comparison: what is compared, what a difference is worth, what a kill or a broken variant costs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.training import tiny
from training.__main__ import main
from training.comparison.compare import CorpusCache
from training.comparison.outcome import Journal, Outcome, fingerprint, pretraining_fingerprint
from training.comparison.table import markdown, rows
from training.comparison.variants import Comparison, Variant, read_comparison
from training.config import PretrainConfig, RunConfig, Source, TextFile, read_config
from training.errors import ConfigError

TWO_AND_A_BROKEN_ONE = """
base = "run.toml"
seeds = [1, 2]
[sample]
train = 120
validation = 40
[set]
"fit.epochs" = 1
[[variant]]
name = "base"
[[variant]]
name = "tail"
study = "truncation"
expected = "a little worse"
[variant.set]
"input.truncation" = "tail"
[[variant]]
name = "broken"
[variant.set]
"encoder.source" = "no-such-folder/at-all"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a comparison was killed in its second run, and called again."""
    folder = tmp_path_factory.mktemp("compare")
    tiny.config(folder)
    command = ["compare", str(write(folder, TWO_AND_A_BROKEN_ONE)), "--runs", str(folder)]
    process = subprocess.Popen([sys.executable, "-m", "training", *command], stderr=subprocess.DEVNULL)
    second = folder / "compare-small/tail/seed-1/checkpoints"
    while not any(second.glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (folder / "before.jsonl").write_bytes((folder / "compare-small/outcomes.jsonl").read_bytes())
    assert main(command) == 0
    return folder


def outcome(folder: Path, variant: str, seed: int) -> Outcome:
    outcomes = Journal(folder / "compare-small/outcomes.jsonl").read()
    (found,) = [outcome for outcome in outcomes if (outcome.variant, outcome.seed) == (variant, seed)]
    return found


class TestWhole:
    """That comparison, looked at from several sides."""

    def test_finished_runs_are_not_repeated(self, folder: Path) -> None:
        (before,) = Journal(folder / "before.jsonl").read()
        assert outcome(folder, "base", 1) == before  # seconds and all

    def test_an_interrupted_run_ends_like_an_uninterrupted_one(self, folder: Path) -> None:
        resumed = outcome(folder, "tail", 1)
        command = ["compare", str(folder / "small.toml"), "--runs", str(folder / "again")]
        assert main(command) == 0
        whole = outcome(folder / "again", "tail", 1)
        assert resumed.curve == whole.curve
        for figure in ("micro_f1", "macro_f1", "mean_average_precision", "bytes"):
            assert resumed.figures[figure] == pytest.approx(whole.figures[figure], abs=1e-6)

    def test_the_table_has_every_variant_and_what_failed(self, folder: Path) -> None:
        text = (folder / "compare-small/table.md").read_text()
        assert "| base |  | 2 | 120 |" in text
        assert "| tail | truncation | 2 | 120 |" in text
        assert "| a little worse |" in text
        assert "- broken: seed 1: ConfigError: " in text
        table = {row["variant"]: row for row in json.loads((folder / "compare-small/table.json").read_text())}
        assert 0 < table["tail"]["figures"]["micro_f1"]["mean"] <= 1
        assert table["broken"]["seeds"] == []

    def test_pictures_are_drawn_and_weights_are_not_kept(self, folder: Path) -> None:
        made = folder / "compare-small"
        assert (made / "scores.png").stat().st_size > 0
        assert (made / "learning.png").stat().st_size > 0
        assert {path.name for path in (made / "tail/seed-1").iterdir()} == {"config.json", "inputs.json"}

    def test_a_variant_that_was_changed_is_run_anew(self, folder: Path) -> None:
        tail, base = outcome(folder, "tail", 1), outcome(folder, "base", 1)
        text = TWO_AND_A_BROKEN_ONE.replace("seeds = [1, 2]", "seeds = [1]").replace(
            '= "tail"\n[[', '= "head+tail"\n[['
        )
        write(folder, text[: text.rindex("[[variant]]")])
        assert main(["compare", str(folder / "small.toml"), "--runs", str(folder)]) == 0
        assert outcome(folder, "tail", 1).config != tail.config
        assert outcome(folder, "base", 1) == base


def test_outcomes_in_another_folder_are_continued(tmp_path: Path) -> None:
    tiny.config(tmp_path)
    path = write(tmp_path, TWO_AND_A_BROKEN_ONE.replace("seeds = [1, 2]", "seeds = [1]"))
    comparison, kept = read_comparison(path), Journal(tmp_path / "kept/outcomes.jsonl")
    (tmp_path / "kept").mkdir()
    for variant in comparison.variants:
        figures = {"micro_f1": 0.5}
        kept.append(Outcome(variant=variant.name, seed=1, config=fingerprint(variant.seeded(1)), figures=figures))
    command = ["compare", str(path), "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "kept")]
    assert main(command) == 0
    assert not (tmp_path / "runs").exists()
    assert "| tail | truncation | 1 | 0 | 0.5000 |" in (tmp_path / "kept/table.md").read_text()


def test_variants_that_pretrain_alike_share_the_encoder(tmp_path: Path) -> None:
    texts = json.dumps(str(tmp_path / "train.csv"))
    pretrain = f'"pretrain.epochs" = 1\n"pretrain.texts" = [{{ path = {texts} }}]'
    variants = {"base": pretrain, "few": f'{pretrain}\n"data.share" = 0.2', "within": '"pretrain.epochs" = 1'}
    tables = "".join(f'[[variant]]\nname = "{name}"\n[variant.set]\n{keys}\n' for name, keys in variants.items())
    tiny.config(tmp_path, epochs=1)
    path = write(tmp_path, f'base = "run.toml"\nseeds = [1]\n{tables}')
    configs = _configs(path)
    prints = {name: pretraining_fingerprint(config) for name, config in configs.items()}
    assert prints["base"] == prints["few"] != prints["within"]
    assert pretraining_fingerprint(configs["base"].model_copy(update={"seed": 2})) != prints["base"]
    assert main(["compare", str(path), "--runs", str(tmp_path)]) == 0
    found = {outcome.variant: outcome for outcome in Journal(tmp_path / "compare-small/outcomes.jsonl").read()}
    assert [outcome.error for outcome in found.values()] == [None] * 3
    assert not (tmp_path / "compare-small/pretrained").exists()


def test_variants_are_chosen_by_name_and_the_first_is_always_included(comparison: Comparison) -> None:
    assert [variant.name for variant in comparison.chosen(["noisy"])] == ["base", "noisy"]
    assert comparison.chosen([]) == comparison.variants
    with pytest.raises(ConfigError, match="there is no variant 'noisi'; did you mean 'noisy'"):
        comparison.chosen(["noisi"])


def test_only_chosen_variants_are_run_and_other_results_stay(tmp_path: Path) -> None:
    tiny.config(tmp_path)
    path = write(tmp_path, TWO_AND_A_BROKEN_ONE.replace("seeds = [1, 2]", "seeds = [1]"))
    broken = Outcome(variant="broken", seed=1, error="as before", config=fingerprint(_configs(path)["broken"]))
    (tmp_path / "compare-small").mkdir()
    Journal(tmp_path / "compare-small/outcomes.jsonl").append(broken)
    assert main(["compare", str(path), "--runs", str(tmp_path), "--variant", "base"]) == 0
    found = {outcome.variant: outcome for outcome in Journal(tmp_path / "compare-small/outcomes.jsonl").read()}
    assert found.keys() == {"base", "broken"}
    assert found["broken"].error == "as before"


def _configs(path: Path) -> dict[str, RunConfig]:
    return {variant.name: variant.seeded(1) for variant in read_comparison(path).variants}


def test_a_variant_sets_keys_of_the_run_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, TWO_AND_A_BROKEN_ONE)
    base, _ = read_config(tiny.config(tmp_path))
    comparison = read_comparison(path)
    tail = comparison.variants[1].seeded(2)
    assert (tail.input.truncation, tail.fit.epochs, tail.seed) == ("tail", 1, 2)
    assert (tail.data.sample, tail.data.validation_sample) == (120, 40)
    assert comparison.data_seed == base.seed
    assert tail.encoder == base.encoder


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ('name = "x"\n[variant.set]\n"fit.epoch" = 1', r"variant 'x' is not a valid run:\n  fit\.epoch: Extra inputs"),
        (
            'name = "x"\n[variant.set]\n"fit.epochs" = 0',
            r"variant 'x' is not a valid run:\n  fit\.epochs: Input should be",
        ),
        (
            'name = "x"\n[variant.set]\n"seed.of" = 0',
            "variant 'x': 'seed.of' leads through 'seed', which is not a table",
        ),
        ('name = "x"\nunset = ["auxiliary"]', "variant 'x': there is no 'auxiliary' to remove"),
        ('name = "a/b"', r"is not a valid comparison:\n  variant\.1\.name: String should match"),
        ('name = "base"', "two variants are named 'base'"),
    ],
)
def test_a_variant_that_is_wrong_is_named_before_anything_runs(tmp_path: Path, variant: str, said: str) -> None:
    tiny.config(tmp_path)
    text = f'base = "run.toml"\nseeds = [1]\n[[variant]]\nname = "base"\n[[variant]]\n{variant}\n'
    with pytest.raises(ConfigError, match=said):
        read_comparison(write(tmp_path, text))


@pytest.mark.parametrize("name", ["compare", "promising"])
def test_the_shipped_comparisons_are_valid(name: str) -> None:
    comparison = read_comparison(Path(f"training/configs/{name}.toml"))
    # Where the finer categories are one of the techniques in question, the others are tried without them.
    assert (comparison.base.config.auxiliary is None) == (name == "compare")
    assert len({variant.config.model_dump_json() for variant in comparison.variants}) == len(comparison.variants)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    config, _ = read_config(tiny.config(tmp_path))
    variants = tuple(Variant(name, "", "", config) for name in ("base", "better", "noisy", "lonely"))
    return Comparison(variants, (1, 2, 3), 0)


def outcomes(variant: str, *scores: float) -> list[Outcome]:
    return [
        Outcome(variant=variant, seed=seed, config="", figures={"micro_f1": micro_f1})
        for seed, micro_f1 in enumerate(scores, start=1)
    ]


def test_differences_are_paired_by_seed_and_held_against_two_standard_errors(comparison: Comparison) -> None:
    found = [
        *outcomes("base", 0.80, 0.82, 0.84),
        *outcomes("better", 0.81, 0.83, 0.851),  # +0.010, +0.010, +0.011
        *outcomes("noisy", 0.86, 0.78, 0.85),  # +0.06, -0.04, +0.01
        *outcomes("lonely", 0.9),
    ]
    table = {row.variant: row for row in rows(comparison, found)}
    assert table["base"].figures["micro_f1"].mean == pytest.approx(0.82)
    assert table["base"].figures["micro_f1"].deviation == pytest.approx(0.02)
    assert table["base"].difference is None
    better, noisy, lonely = (table[name].difference for name in ("better", "noisy", "lonely"))
    assert better
    assert noisy
    assert lonely
    assert better.mean == pytest.approx(0.31 / 30)
    assert better.standard_error == pytest.approx(0.001 / 3)
    assert (better.clear, noisy.clear, lonely.clear) == (True, False, None)


def test_the_table_marks_what_is_unknown(comparison: Comparison) -> None:
    failed = Outcome(variant="noisy", seed=1, config="", error="ValueError: no room")
    text = markdown(rows(comparison, [*outcomes("base", 0.8), *outcomes("lonely", 0.9), failed]))
    assert "| lonely |  | 1 | 0 | 0.9000 | +0.1000 | one seed: unknown |" in text
    assert "- noisy: seed 1: ValueError: no room" in text
    assert "| noisy |" not in text


def test_papers_are_read_again_for_other_weights_to_continue_from(tmp_path: Path) -> None:
    config, _ = read_config(tiny.config(tmp_path, extra='[auxiliary]\ncolumn = "ABSTRACT"\nfewest = 30\n'))
    cache = CorpusCache(seed=0)
    for names in ("quantum theorem", "theorem quantum"):
        path = tmp_path / f"{names}.safetensors"
        save_file({"a": np.zeros(1)}, path, {"categories": names})
        continued = config.model_copy(update={"fit": config.fit.model_copy(update={"continue_from": path})})
        assert cache.corpus(continued).categories == tuple(names.split())


def test_further_pre_training_depends_on_training_files_that_validation_papers_are_split_off(tmp_path: Path) -> None:
    config, _ = read_config(tiny.config(tmp_path))
    pretrain = PretrainConfig(texts=(TextFile(path=tmp_path / "texts.csv"),))
    for validation, alike in ((config.data.validation, True), (None, False)):
        data = config.data.model_copy(update={"validation": validation})
        other = data.model_copy(update={"train": (Source(path=tmp_path / "other.csv"),)})
        one, another = (
            pretraining_fingerprint(config.model_copy(update={"pretrain": pretrain, "data": papers}))
            for papers in (data, other)
        )
        assert (one == another) is alike
