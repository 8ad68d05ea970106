"""Artefacts from an object store, over HTTP, with faults."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_store.errors import ArtefactDamaged, ArtefactError, ArtefactMissing, StoreError, StoreUnavailable
from model_store.remote import RemoteStore, open_store
from model_store.store import Store
from tests import builders

pytest.importorskip("s3fs", reason="needs the extra s3")
pytest.importorskip("moto", reason="needs moto, of the extra dev")

from tests.model_store.object_store import BUCKET, Fault, ObjectStore, cut_off, forbidden, gone, slow, wrong_bytes

ADDRESS = f"s3://{BUCKET}/models"


@pytest.fixture(scope="module")
def process() -> Iterator[ObjectStore]:
    with ObjectStore() as server:
        yield server


@pytest.fixture
def server(process: ObjectStore, tmp_path: Path) -> ObjectStore:
    process.reset()
    process.upload(builders.publish(tmp_path / "published").root)
    return process


def remote(server: ObjectStore, tmp_path: Path) -> RemoteStore:
    return RemoteStore(ADDRESS, tmp_path / "cache", server.files)


def publish(server: ObjectStore, tmp_path: Path, version: str) -> None:
    server.upload(builders.publish(tmp_path / f"published {version}", version).root)


def test_an_artefact_scores_as_it_does_on_disk(server: ObjectStore, tmp_path: Path) -> None:
    store = remote(server, tmp_path)
    assert (store.names(), store.versions()) == (["tiny-subjects"], ["1.0.0"])
    artefact = store.open("tiny-subjects", "1.0.0")
    assert artefact.sha256 == Store(tmp_path / "published").open().sha256
    artefact.verified_classifier()


def test_files_are_copied_once(server: ObjectStore, tmp_path: Path) -> None:
    remote(server, tmp_path).open()
    server.reads.clear()
    remote(server, tmp_path).open()
    assert {path.rpartition("/")[2] for path in server.reads if "1.0.0" in path} == {"manifest.json"}


def test_a_new_version_is_found(server: ObjectStore, tmp_path: Path) -> None:
    store = remote(server, tmp_path)
    assert store.open().manifest.version == "1.0.0"
    publish(server, tmp_path, "1.1.0")
    assert store.resolve().version == "1.1.0"
    assert store.open().manifest.version == "1.1.0"
    assert store.open("tiny-subjects", "1.0.0").manifest.version == "1.0.0"


def test_a_damaged_copy_is_replaced(server: ObjectStore, tmp_path: Path) -> None:
    store = remote(server, tmp_path)
    copied = store.open().folder
    (copied / "manifest.json").write_text("{}")
    assert store.open().manifest.version == "1.0.0"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["deleted", "emptied"])
def test_a_copy_that_lost_a_file_is_replaced(
    server: ObjectStore, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    store = remote(server, tmp_path)
    copied = store.open().folder
    damage(copied / "model.onnx")
    store.open().verified_classifier()
    shutil.rmtree(tmp_path / "cache")
    store.open().verified_classifier()
    assert [path.name for path in copied.parent.iterdir()] == ["1.0.0"]


def test_two_processes_that_copy_at_once_use_the_copy_of_the_faster_one(server: ObjectStore, tmp_path: Path) -> None:
    inodes: list[int] = []

    def meanwhile(body: list[bytes], headers: list[tuple[str, str]]) -> tuple[str, list[bytes]]:
        server.fault = None
        inodes.append((remote(server, tmp_path).open().folder / "model.onnx").stat().st_ino)
        return "200 OK", body

    server.fault, server.where = meanwhile, "model.onnx"
    artefact = remote(server, tmp_path).open()
    assert inodes == [(artefact.folder / "model.onnx").stat().st_ino]
    artefact.verified_classifier()
    assert [path.name for path in artefact.folder.parent.iterdir()] == ["1.0.0"]


def test_a_cache_that_cannot_be_written_is_told_with_its_path(server: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    with pytest.raises(StoreError, match=r"cannot be written to .*/cache/.*let XDG_CACHE_HOME name a folder"):
        remote(server, tmp_path).open()


def test_nothing_is_written_where_there_is_a_complete_copy(server: ObjectStore, tmp_path: Path) -> None:
    remote(server, tmp_path).open()
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*"))
    remote(server, tmp_path).open().verified_classifier()
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")) == before


@pytest.mark.parametrize("where", ["manifest.json", "model.onnx"])
@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (slow, StoreUnavailable, "cannot be read"),
        (cut_off, StoreUnavailable, "cannot be read"),
        (forbidden, StoreUnavailable, "cannot be read"),
        (wrong_bytes, ArtefactDamaged, "it was changed|is not JSON"),
        (gone, ArtefactMissing, "is not there"),
    ],
)
def test_a_fault_is_one_sentence_and_leaves_nothing_behind(
    server: ObjectStore, tmp_path: Path, fault: Fault, error: type[Exception], said: str, where: str
) -> None:
    server.fault, server.where = fault, where
    files = server.impatient if fault is slow else server.files
    with pytest.raises(error, match=said) as refusal:
        RemoteStore(ADDRESS, tmp_path / "cache", files).open()
    assert "\n" not in str(refusal.value)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("fault", [cut_off, forbidden])
def test_the_last_copy_is_used_while_the_store_is_unreachable(
    server: ObjectStore, tmp_path: Path, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    remote(server, tmp_path).open()
    publish(server, tmp_path, "1.1.0")
    server.fault = fault
    store = remote(server, tmp_path)
    assert store.open().manifest.version == "1.0.0"
    assert "using the copy in" in caplog.text
    # A reload asks for the newest version, and is told that this cannot be known now.
    with pytest.raises(StoreUnavailable):
        store.resolve()


def test_a_version_that_was_never_copied_is_not_served_while_the_store_is_away(
    server: ObjectStore, tmp_path: Path
) -> None:
    remote(server, tmp_path).open()
    server.fault = forbidden
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        remote(server, tmp_path).open(version="1.1.0")


def test_a_new_version_with_wrong_bytes_leaves_the_old_copy(server: ObjectStore, tmp_path: Path) -> None:
    store = remote(server, tmp_path)
    store.open()
    publish(server, tmp_path, "1.1.0")
    server.fault, server.where = wrong_bytes, "1.1.0/model.onnx"
    with pytest.raises(ArtefactDamaged, match=r"1\.1\.0/model\.onnx has sha256"):
        store.open()
    assert store.open(version="1.0.0").manifest.version == "1.0.0"


def test_a_manifest_that_is_not_accepted_is_refused_before_anything_is_copied(
    server: ObjectStore, tmp_path: Path
) -> None:
    store = remote(server, tmp_path)
    with pytest.raises(ArtefactDamaged, match="the one that is accepted is 0000"):
        store.open(sha256="0" * 64)
    assert not any(path.endswith("model.onnx") for path in server.reads)


def test_an_unknown_version_and_an_empty_bucket_are_reported(server: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing, match=r"no artefact of version '7\.0\.0'"):
        remote(server, tmp_path).open(version="7.0.0")
    with pytest.raises(ArtefactError, match="none at all"):
        RemoteStore(f"s3://{BUCKET}/nothing", tmp_path / "cache", server.files).open()


def test_a_remote_store_is_read_only(server: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is only read; publish into a folder"):
        remote(server, tmp_path).publish(builders.manifest(), builders.files())


@pytest.mark.parametrize("path", [Path(ADDRESS), ADDRESS])
def test_an_address_is_known_by_its_scheme(path: Path | str) -> None:
    assert isinstance(open_store(path), RemoteStore)


@pytest.mark.parametrize("path", ["artefacts", "/srv/artefacts", "./s3", "C:/artefacts"])
def test_everything_else_is_a_folder(path: str) -> None:
    assert open_store(path).root == Path(path)


def test_an_address_that_no_package_supports_is_reported() -> None:
    with pytest.raises(StoreUnavailable, match=r"nosuch://host/x cannot be read: .*install paper-subjects\[s3\]"):
        open_store("nosuch://user:secret@host/x")


def test_credentials_come_from_where_the_libraries_look_for_them(server: ObjectStore, tmp_path: Path) -> None:
    program = "import sys; from model_store.remote import open_store; print(open_store(sys.argv[1]).open().folder)"
    environment = os.environ | {
        "AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "XDG_CACHE_HOME": str(tmp_path / "xdg"),
    }  # fmt: skip
    command = [sys.executable, "-c", program, ADDRESS]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path / "xdg/paper-subjects")
