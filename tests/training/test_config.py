"""The TOML of a run."""

from pathlib import Path

import pytest

from tests.training import tiny
from training.config import read_config
from training.errors import ConfigError


def test_the_text_is_kept_verbatim_for_the_manifest(tmp_path: Path) -> None:
    path = tiny.config(tmp_path)
    config, text = read_config(path)
    assert text == path.read_text()
    assert config.training_input.max_tokens == 24
    assert config.input.max_tokens == 32


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("[surprise]\n", "surprise: Extra inputs are not permitted"),
        ("[head]\nhiden = 10\n", r"head\.hiden: Extra inputs"),
        ("[head]\ndropout = 1.5\n", r"head\.dropout: Input should be less than 1"),
        ("[quantization]\nper_channel = 'perhaps'\n", r"quantization\.per_channel: Input should be a valid boolean"),
        ("[head]\ndropout = nan\n", r"head\.dropout: Input should be a finite number"),
        ("[loss]\ngamma = inf\n", r"loss\.gamma: Input should be a finite number"),
        ("broken", "is not TOML"),
        ('[[publish]]\nname = "tiny"\nversion = "0.1.0"\n', r"tiny 0\.1\.0 would be published twice"),
        ('[[publish]]\nname = "small"\nversion = "0.1.0"\ncut_after = 1\n', r"cut_after is 1; .*in \[exits\]: none"),
        (
            '[[publish]]\nname = "long"\nversion = "0.1.0"\nmax_tokens = 64\n',
            "max_tokens of long is 64; expected at most the 32",
        ),
        (
            '[[publish]]\nname = "fine"\nversion = "0.1.0"\nlabels = "categories"\n',
            r"needs the head that \[auxiliary\]",
        ),
        (
            '[[publish]]\nname = "small"\nversion = "0.1.0"\nvalidation = "v.csv"\n',
            '`validation` and `test` of small go with `labels = "categories"`',
        ),
        (
            '[[publish]]\nname = "small"\nversion = "0.1.0"\ntest = "t.csv"\n',
            '`validation` and `test` of small go with `labels = "categories"`',
        ),
        ("[ngrams]\n", r"\[ngrams\] learns the categories of \[auxiliary\]; add that section"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config(tiny.config(tmp_path, extra=extra))


def test_a_wrong_element_is_not_reported_as_a_missing_one(tmp_path: Path) -> None:
    path = tiny.config(tmp_path)
    path.write_text(path.read_text().replace("[[data.train]]", "[[data.train]]\nsample = 0"))
    with pytest.raises(ConfigError) as refused:
        read_config(path)
    assert str(refused.value).splitlines()[1:] == [
        "  data.train.0.sample: Input should be greater than or equal to 1",
    ]


def test_a_label_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.labels: .*'A' is named 2 times; name each label once"):
        read_config(tiny.config(tmp_path, within={"data": "labels = ['A', 'B', 'A']"}))


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tiny.config(tmp_path)
    text = path.read_text()
    path.write_text(text, encoding="utf-8-sig")
    assert read_config(path)[1] == text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["first-pass", "second-pass", "third-pass", "full", "smoke"])
def test_the_shipped_configurations_are_valid(name: str) -> None:
    config, _ = read_config(Path(f"training/configs/{name}.toml"))
    assert config.golden


def test_ngrams_do_not_go_with_chunks(tmp_path: Path) -> None:
    path = tiny.config(tmp_path, extra="[auxiliary]\n[ngrams]\n", within={"input": "chunks = 2"})
    with pytest.raises(ConfigError, match=r"\[ngrams\] reads a paper as a whole; leave out either `chunks`"):
        read_config(path)
