"""Artefacts made to do harm, or broken in ways that no checksum shows: one sentence each."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from model_store.artefact import Artefact
from model_store.errors import ArtefactDamaged, StoreError
from model_store.external_data import reads_other_files
from model_store.store import GRAPH, MANIFEST, TOKENIZER, Store
from tests import builders


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return builders.publish(tmp_path / "store")


@pytest.fixture
def folder(store: Store) -> Path:
    return store.resolve().folder


def external_model(**where: str) -> bytes:
    """The tiny graph with the weights of one tensor in another file, in a place named by `where`."""
    model = onnx.load_model_from_string(builders.graph())
    tensor = TensorProto(name="w", dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    if where["place"] == "initializer":
        model.graph.initializer.append(tensor)
    elif where["place"] == "constant":
        model.graph.node.append(helper.make_node("Constant", [], ["w"], value=tensor))
    elif where["place"] == "sparse":
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, dims=[4]))
    else:
        inner = helper.make_graph([helper.make_node("Identity", ["w"], ["v"])], "inner", [], [], [tensor])
        model.graph.node.append(helper.make_node("If", ["c"], ["v"], then_branch=inner, else_branch=inner))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant", "sparse", "branch"])
def test_weights_in_other_files_are_refused(store: Store, folder: Path, place: str) -> None:
    model = external_model(place=place)
    assert reads_other_files(model)
    with pytest.raises(ArtefactDamaged, match="has weights in other files"):
        store.publish(builders.manifest("1.1.0"), builders.files(model=model))
    builders.tamper(folder, model=model)
    with pytest.raises(ArtefactDamaged, match="has weights in other files"):
        store.open()


@pytest.mark.parametrize(
    "content", [b"", b"no graph", b"\x00" * 40, b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f", builders.graph()[:-1]]
)
def test_a_file_that_is_no_onnx_model_is_refused(store: Store, folder: Path, content: bytes) -> None:
    builders.tamper(folder, model=content)
    with pytest.raises(ArtefactDamaged, match="is not an ONNX model"):
        store.open()


def test_graphs_nested_without_end_are_refused() -> None:
    message = b""
    # Fields: an attribute's graph (6) in a node's attribute (5) in a graph's node (1).
    for number in [6, 5, 1] * 200:
        size = len(message)
        length = b"" if size else b"\x00"
        while size:
            length += bytes([(size & 0x7F) | (0x80 if size > 0x7F else 0)])
            size >>= 7
        message = bytes([number << 3 | 2]) + length + message
    with pytest.raises(ValueError, match="nested too deeply"):
        reads_other_files(b"\x3a" + _length(len(message)) + message)


def _length(size: int) -> bytes:
    encoded = b""
    while size > 0x7F:
        encoded += bytes([(size & 0x7F) | 0x80])
        size >>= 7
    return encoded + bytes([size])


def test_a_graph_that_cannot_run_is_refused_in_silence(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load_model_from_string(builders.graph())
    model.graph.node[0].op_type = "NoSuchOperator"
    builders.tamper(folder, model=model.SerializeToString())
    with pytest.raises(ArtefactDamaged, match=r"model\.onnx cannot be loaded: .*NoSuchOperator") as refusal:
        store.open().verified_classifier()
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "cannot be loaded"),
        ({"model": {"type": "NoSuchModel"}}, "cannot be loaded"),
        ({"added_tokens": []}, "the tokenizer has no"),
    ],
)
def test_a_tokenizer_that_panics_or_fails_is_refused(
    store: Store, folder: Path, change: dict[str, object], said: str
) -> None:
    document = json.loads((folder / TOKENIZER).read_bytes()) | change
    if "added_tokens" in change:
        document["model"]["vocab"] = {"[UNK]": 0, "a": 1}
    builders.tamper(folder, tokenizer=json.dumps(document).encode())
    with pytest.raises(ArtefactDamaged, match=said):
        store.open().verified_classifier()


@pytest.mark.parametrize(
    ("content", "said"), [(b"[]", "is not valid"), (b"{}", "tolerance"), (b'{"tolerance": 0.99}', "less than or equal")]
)
def test_too_few_or_useless_golden_papers_are_refused(store: Store, folder: Path, content: bytes, said: str) -> None:
    builders.tamper(folder, golden=content)
    with pytest.raises(ArtefactDamaged, match=said) as refusal:
        store.open().verified_classifier()
    assert "\n" not in str(refusal.value)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.onnx").resolve().parent.parent / "elsewhere.onnx")
    path.symlink_to(path.parent.parent / "elsewhere.onnx")


def sparse(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**40)


def replaced_by(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


@pytest.mark.parametrize("name", [GRAPH, MANIFEST])
@pytest.mark.parametrize(
    ("replace", "said"),
    [
        (link, "is a symbolic link"),
        (replaced_by(lambda path: path.symlink_to("/dev/zero")), "is a symbolic link"),
        (replaced_by(os.mkfifo), "is not a regular file"),
        (replaced_by(Path.mkdir), "is not a regular file"),
        (sparse, "has 1099511627776 bytes, expected at most"),
    ],
)
def test_only_regular_files_of_the_right_size_are_read(
    folder: Path, replace: Callable[[Path], None], said: str, name: str
) -> None:
    replace(folder / name)
    with pytest.raises(ArtefactDamaged, match=said):
        Artefact(folder)


def test_a_manifest_that_lists_too_much_is_refused(folder: Path) -> None:
    document = json.loads((folder / MANIFEST).read_bytes())
    document["files"][GRAPH]["bytes"] = 2**40
    (folder / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(ArtefactDamaged, match="the most that is read"):
        Artefact(folder)


def test_a_manifest_nested_without_end_is_refused(folder: Path) -> None:
    (folder / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(ArtefactDamaged, match="is not JSON"):
        Artefact(folder)


def test_a_version_in_the_folder_of_another_one_is_refused(store: Store, folder: Path) -> None:
    folder.rename(folder.with_name("9.9.9"))
    with pytest.raises(ArtefactDamaged, match=r"is of tiny-subjects 1\.0\.0, its folder is that of tiny-subjects 9"):
        store.open()


def test_folders_that_are_no_versions_do_not_count(store: Store) -> None:
    for name in ("1.2.²", "1.0", "1.0.0.0", "1.0.0 ", ".1.1.0.draft", "+1.0.0"):
        (store.root / "tiny-subjects" / name).mkdir()
        (store.root / "tiny-subjects" / name / MANIFEST).write_text("{}")
    (store.root / "notes.txt").write_text("")
    (store.root / "2.0.0").write_text("a file where a folder is expected")
    assert store.versions() == ["1.0.0"]
    assert store.open().manifest.version == "1.0.0"


def test_one_manifest_can_be_pinned_by_its_checksum(store: Store) -> None:
    sha256 = store.open().sha256
    assert store.open(sha256=sha256).sha256 == sha256
    with pytest.raises(ArtefactDamaged, match=f"has sha256 {sha256}, the one that is accepted is {'0' * 64}"):
        store.open(sha256="0" * 64)


@pytest.mark.parametrize(("place", "said"), [("store", "File exists"), ("store/tiny-subjects", "File exists")])
def test_a_store_that_cannot_be_written_is_reported(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("no folder")
    with pytest.raises(StoreError, match=rf"tiny-subjects.* cannot be written: {said} \(.*{place}\)"):
        builders.publish(tmp_path / "store")


def test_published_files_are_readable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        published = builders.publish(tmp_path / "store").resolve().folder
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in published.iterdir()} == {0o644}
    assert published.stat().st_mode & 0o777 == 0o755
    assert published.parent.stat().st_mode & 0o777 == 0o755


def test_the_checksum_of_an_artefact_is_that_of_its_manifest(folder: Path) -> None:
    assert Artefact(folder).sha256 == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
