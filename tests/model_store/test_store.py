"""Publishing, resolving, verifying: only a complete and unchanged artefact is ever opened."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_store.errors import ArtefactDamaged, ArtefactMissing, ArtefactTooNew, GoldenMismatch, VersionExists
from model_store.golden import Golden
from model_store.papers import Paper
from model_store.store import Store
from tests import builders


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return builders.publish(tmp_path / "store")


def folder(store: Store) -> Path:
    return store.root / "tiny-subjects/1.0.0"


def test_a_published_artefact_scores_as_it_did_before(store: Store) -> None:
    artefact = store.open("tiny-subjects", "1.0.0")
    assert artefact.golden().replay(artefact.classifier()) <= 1e-6
    assert artefact.card().startswith("# Tiny subjects")


def test_latest_is_the_highest_number_not_the_last_in_the_alphabet(store: Store) -> None:
    for version in ("1.10.0", "1.9.0"):
        store.publish(builders.manifest(version), builders.files())
    assert store.resolve().version == "1.10.0"
    assert store.versions() == ["1.0.0", "1.9.0", "1.10.0"]


def test_a_store_holds_several_models(store: Store) -> None:
    store.publish(builders.manifest("3.0.0", name="arxiv-subjects"), builders.files())
    assert store.names() == ["arxiv-subjects", "tiny-subjects"]
    assert store.versions("tiny-subjects") == ["1.0.0"]
    assert store.open("tiny-subjects").manifest.version == "1.0.0"
    assert store.open().manifest.name == "arxiv-subjects"


def test_the_only_model_is_meant_where_none_is_named(store: Store) -> None:
    assert store.default_name() == "tiny-subjects"
    with pytest.raises(ArtefactMissing, match=r"no model 'arxiv-subjects'.*there is tiny-subjects"):
        store.open("arxiv-subjects")


def test_a_store_of_the_older_layout_is_read(store: Store) -> None:
    folder(store).rename(store.root / "1.0.0")
    assert store.names() == ["tiny-subjects"]
    assert store.open("tiny-subjects", "1.0.0").folder == store.root / "1.0.0"
    with pytest.raises(VersionExists, match="raise the version"):
        store.publish(builders.manifest(), builders.files())
    store.publish(builders.manifest("1.1.0"), builders.files())
    assert store.versions("tiny-subjects") == ["1.0.0", "1.1.0"]


def test_a_published_version_is_never_replaced(store: Store) -> None:
    before = (folder(store) / "manifest.json").read_bytes()
    with pytest.raises(VersionExists, match="raise the version"):
        store.publish(builders.manifest(), builders.files())
    assert (folder(store) / "manifest.json").read_bytes() == before


def test_a_failed_publish_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ArtefactDamaged, match=r"golden\.json"):
        store.publish(builders.manifest(), {"model.onnx": b"", "tokenizer.json": b"", "CARD.md": b""})
    with pytest.raises(ArtefactDamaged, match="a/b"):
        store.publish(builders.manifest(), {**builders.files(), "a/b.json": b""})
    assert list(tmp_path.iterdir()) == []


def test_a_draft_without_manifest_is_no_version(store: Store) -> None:
    (store.root / "tiny-subjects/2.0.0").mkdir()
    (store.root / "tiny-subjects/2.0.0" / "model.onnx").write_bytes(b"half")
    assert store.versions() == ["1.0.0"]


def test_an_unknown_version_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(ArtefactMissing, match=r"'3\.0\.0'.*there is 1\.0\.0"):
        store.open(version="3.0.0")


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing, match="none at all"):
        Store(tmp_path / "nowhere").open()


@pytest.mark.parametrize("closed", [".", "tiny-subjects", "tiny-subjects/1.0.0"])
def test_a_store_that_this_user_may_not_read_is_not_only_called_empty(closed: str) -> None:
    with tempfile.TemporaryDirectory() as parent, without_privileges(parent):
        store = builders.publish(Path(parent, "store"))
        folder = store.root / closed
        folder.chmod(0o000)
        try:
            with pytest.raises(ArtefactMissing, match=f"none at all; {folder} cannot be read: Permission denied"):
                store.open()
        finally:
            folder.chmod(0o755)


@contextmanager
def without_privileges(folder: str) -> Iterator[None]:
    """Act as a user who owns the folder and is not root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    os.chown(folder, nobody, -1)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.json", "CARD.md"])
def test_a_missing_file_is_named(store: Store, name: str) -> None:
    (folder(store) / name).unlink()
    with pytest.raises(ArtefactMissing, match=name):
        store.open()


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.json", "CARD.md"])
def test_a_truncated_file_is_named_with_both_sizes(store: Store, name: str) -> None:
    path = folder(store) / name
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ArtefactDamaged, match=f"{name} has {len(content) - 1} bytes, expected {len(content)}"):
        store.open()


def test_a_changed_byte_is_found(store: Store) -> None:
    path = folder(store) / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactDamaged, match=r"model\.onnx has sha256 .*, expected"):
        store.open()


def test_a_stray_file_is_refused(store: Store) -> None:
    (folder(store) / "hook.py").write_text("")
    with pytest.raises(ArtefactDamaged, match=r"hook\.py is not listed"):
        store.open()


def test_a_listed_file_that_is_executable_code_is_refused(store: Store) -> None:
    (folder(store) / "weights.pkl").write_bytes(b"")
    document = manifest(store)
    document["files"]["weights.pkl"] = {"bytes": 0, "sha256": "0" * 64}
    write_manifest(store, document)
    with pytest.raises(ArtefactDamaged, match=r"'weights\.pkl'; expected plain names"):
        store.open()


def test_a_file_outside_the_folder_is_refused(store: Store) -> None:
    document = manifest(store)
    document["files"]["../secret.json"] = {"bytes": 0, "sha256": "0" * 64}
    write_manifest(store, document)
    with pytest.raises(ArtefactDamaged, match="expected plain names"):
        store.open()


def test_a_later_schema_is_refused_with_both_numbers(store: Store) -> None:
    write_manifest(store, {"schema_version": 4, "whatever": True})
    with pytest.raises(ArtefactTooNew, match="has schema 4, this program reads up to 3"):
        store.open()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"schema_version": 1, "na', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "not a valid manifest"),
    ],
)
def test_a_damaged_manifest_is_refused(store: Store, content: bytes, said: str) -> None:
    (folder(store) / "manifest.json").write_bytes(content)
    with pytest.raises(ArtefactDamaged, match=said):
        store.open()


def test_an_unknown_key_in_the_manifest_is_refused_by_name(store: Store) -> None:
    write_manifest(store, manifest(store) | {"surprise": 1})
    with pytest.raises(ArtefactDamaged, match="surprise"):
        store.open()


def test_two_labels_of_one_name_are_refused(store: Store) -> None:
    document = manifest(store)
    document["labels"][1]["name"] = document["labels"][0]["name"]
    write_manifest(store, document)
    with pytest.raises(ArtefactDamaged, match="two labels share the same name"):
        store.open()


def test_a_machine_with_other_scores_is_refused(store: Store) -> None:
    artefact = store.open()
    golden = artefact.golden()
    off = golden.papers[0].model_copy(update={"scores": (0.9, 0.9, 0.9)})
    with pytest.raises(GoldenMismatch, match="golden paper 0 is off by"):
        golden.model_copy(update={"papers": (off,)}).replay(artefact.classifier())


def test_golden_scores_of_another_shape_are_refused() -> None:
    golden = Golden.model_validate({"tolerance": 0.1, "papers": [{"title": "a", "scores": [0.5]}]})
    with pytest.raises(GoldenMismatch, match="shape"):
        golden.replay(builders.classifier())


def test_scores_do_not_depend_on_order_or_batch(store: Store) -> None:
    classifier = store.open().classifier()
    papers = [Paper("quantum star"), Paper("the proof", "of a theorem"), Paper("software " * 50)]
    together = classifier.scores(papers)
    assert np.array_equal(together, np.concatenate([classifier.scores([paper]) for paper in papers]))
    assert np.array_equal(together[::-1], classifier.scores(papers[::-1]))


def test_no_papers_get_no_scores(store: Store) -> None:
    assert store.open().classifier().scores([]).shape == (0, 3)


def manifest(store: Store) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder(store) / "manifest.json").read_text())
    return loaded


def write_manifest(store: Store, document: object) -> None:
    (folder(store) / "manifest.json").write_text(json.dumps(document))
