"""A comparison: what is compared, what a difference is worth, what a kill or a broken variant costs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training import tiny
from training.__main__ import main
from training.comparison.outcome import Outcome
from training.comparison.table import markdown, rows
from training.comparison.variants import Comparison, Variant, read_comparison
from training.config import read_config
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
    second = folder / "compare-small/base/seed-2/checkpoints"
    while not any(second.glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = folder / "compare-small/base/seed-1/outcome.json"
    (folder / "before.json").write_bytes(first.read_bytes())
    assert main(command) == 0
    return folder


class TestWhole:
    """That comparison, looked at from several sides."""

    def test_what_was_finished_is_not_run_again(self, folder: Path) -> None:
        outcome = folder / "compare-small/base/seed-1/outcome.json"
        assert outcome.read_bytes() == (folder / "before.json").read_bytes()

    def test_what_was_cut_off_ends_as_if_nothing_had_happened(self, folder: Path) -> None:
        path = folder / "compare-small/base/seed-2/outcome.json"
        resumed = Outcome.read(path)
        path.unlink()
        assert main(["compare", str(folder / "small.toml"), "--runs", str(folder)]) == 0
        whole = Outcome.read(path)
        assert resumed
        assert whole
        assert resumed.curve == whole.curve
        for figure in ("micro_f1", "macro_f1", "mean_average_precision", "bytes"):
            assert resumed.figures[figure] == pytest.approx(whole.figures[figure], abs=1e-6)

    def test_the_table_has_every_variant_and_what_failed(self, folder: Path) -> None:
        text = (folder / "compare-small/table.md").read_text()
        assert "| base |  | 2 | 120 |" in text
        assert "| tail | truncation | 2 | 120 |" in text
        assert "| a little worse |" in text
        assert "- broken: seed 1: OSError: " in text
        table = {row["variant"]: row for row in json.loads((folder / "compare-small/table.json").read_text())}
        assert 0 < table["tail"]["figures"]["micro_f1"]["mean"] <= 1
        assert table["broken"]["seeds"] == []

    def test_pictures_are_drawn_and_weights_are_not_kept(self, folder: Path) -> None:
        made = folder / "compare-small"
        assert (made / "scores.png").stat().st_size > 0
        assert (made / "learning.png").stat().st_size > 0
        assert {path.name for path in (made / "tail/seed-1").iterdir()} == {"config.json", "outcome.json"}

    def test_a_variant_that_was_changed_is_run_anew(self, folder: Path) -> None:
        outcome = Outcome.read(folder / "compare-small/tail/seed-1/outcome.json")
        text = TWO_AND_A_BROKEN_ONE.replace("seeds = [1, 2]", "seeds = [1]").replace(
            '= "tail"\n[[', '= "head+tail"\n[['
        )
        write(folder, text[: text.rindex("[[variant]]")])
        assert main(["compare", str(folder / "small.toml"), "--runs", str(folder)]) == 0
        again = Outcome.read(folder / "compare-small/tail/seed-1/outcome.json")
        assert outcome
        assert again
        assert outcome.config["input"]["truncation"] == "tail"
        assert again.config["input"]["truncation"] == "head+tail"


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
        ('name = "x"\n[variant.set]\n"fit.epoch" = 1', r"variant 'x' is no valid run:\n  fit\.epoch: Extra inputs"),
        (
            'name = "x"\n[variant.set]\n"fit.epochs" = 0',
            r"variant 'x' is no valid run:\n  fit\.epochs: Input should be",
        ),
        ('name = "x"\n[variant.set]\n"seed.of" = 0', "variant 'x': 'seed.of' leads through 'seed', which is no table"),
        ('name = "x"\nunset = ["auxiliary"]', "variant 'x': there is no 'auxiliary' to leave out"),
        ('name = "a/b"', r"is no valid comparison:\n  variant\.1\.name: String should match"),
        ('name = "base"', "two variants are called 'base'"),
    ],
)
def test_a_variant_that_is_wrong_is_named_before_anything_runs(tmp_path: Path, variant: str, said: str) -> None:
    tiny.config(tmp_path)
    text = f'base = "run.toml"\nseeds = [1]\n[[variant]]\nname = "base"\n[[variant]]\n{variant}\n'
    with pytest.raises(ConfigError, match=said):
        read_comparison(write(tmp_path, text))


def test_the_shipped_comparison_is_valid() -> None:
    comparison = read_comparison(Path("training/configs/compare.toml"))
    assert comparison.base.config.auxiliary is None
    assert len({variant.config.model_dump_json() for variant in comparison.variants}) == len(comparison.variants)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    config, _ = read_config(tiny.config(tmp_path))
    variants = tuple(Variant(name, "", "", config) for name in ("base", "better", "noisy", "lonely"))
    return Comparison(variants, (1, 2, 3), 0)


def outcomes(variant: str, *scores: float) -> list[Outcome]:
    return [
        Outcome(variant=variant, seed=seed, config={}, figures={"micro_f1": micro_f1})
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


def test_the_table_says_what_is_not_known(comparison: Comparison) -> None:
    failed = Outcome(variant="noisy", seed=1, config={}, error="ValueError: no room")
    text = markdown(rows(comparison, [*outcomes("base", 0.8), *outcomes("lonely", 0.9), failed]))
    assert "| lonely |  | 1 | 0 | 0.9000 | +0.1000 | one seed: unknown |" in text
    assert "- noisy: seed 1: ValueError: no room" in text
    assert "| noisy |" not in text
