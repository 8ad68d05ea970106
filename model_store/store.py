"""The model store: a folder NAME/VERSION for every published version, each complete and unchanging."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from model_store.artefact import (
    CARD,
    GOLDEN,
    GRAPH,
    MANIFEST,
    REQUIRED,
    TOKENIZER,
    Artefact,
    check_graphs,
    check_names,
)
from model_store.errors import ArtefactDamaged, ArtefactMissing, StoreError, VersionExists
from model_store.manifest import FileEntry, Manifest

__all__ = ["CARD", "DEFAULT_NAME", "GOLDEN", "GRAPH", "MANIFEST", "TOKENIZER", "Artefact", "Release", "Store"]

DEFAULT_NAME = "arxiv-subjects"
LATEST = "latest"

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


class Release(NamedTuple):
    """A published version of a model and the folder that it is in."""

    name: str
    version: str
    folder: Path


class Store:
    """All published models below one folder.

    A store of the older layout, with the versions of one model directly below its root, is read as well.
    """

    def __init__(self, root: Path, place: str | None = None) -> None:
        """`place` is the name of the store in messages, by default its folder."""
        self.root = root
        self.place = place or str(root)

    def names(self) -> list[str]:
        """Names of the models that have a published version, in alphabetical order."""
        return _names(self._releases())

    def versions(self, name: str | None = None) -> list[str]:
        """Published versions of a model, oldest first; without a name, see `default_name`.

        A folder without a manifest is not published yet and does not count.
        """
        releases = self._releases()
        wanted = name or _default_name(releases)
        return sorted({release.version for release in releases if release.name == wanted}, key=_numbers)

    def default_name(self) -> str:
        """The model that is meant where none is named: the only one, or arxiv-subjects."""
        return _default_name(self._releases())

    def resolve(self, name: str | None = None, version: str = LATEST) -> Release:
        """The release that is meant: of the default model unless `name` is given, the newest for "latest".

        Raises ArtefactMissing, whose message lists what the store has.
        """
        releases = self._releases()
        wanted = name or _default_name(releases)
        found = {release.version: release for release in releases if release.name == wanted}
        versions = sorted(found, key=_numbers)
        if not versions:
            there = ", ".join(_names(releases)) or "none at all"
            raise ArtefactMissing(f"no model {wanted!r} in {self.place}; there is {there}{_unreadable(self.root)}")
        if version != LATEST and version not in found:
            there = ", ".join(versions)
            raise ArtefactMissing(
                f"no artefact of version {version!r} of {wanted} in {self.place}; there is {there}"
                f"{_unreadable(self.root)}"
            )
        return found[versions[-1] if version == LATEST else version]

    def open(self, name: str | None = None, version: str = LATEST, sha256: str | None = None) -> Artefact:
        """The verified artefact of a release; errors are those of `resolve` and of Artefact."""
        return self._open(self.resolve(name, version), sha256)

    def _open(self, release: Release, sha256: str | None) -> Artefact:
        artefact = Artefact(release.folder, sha256)
        stated = (artefact.manifest.name, artefact.manifest.version)
        if stated != (release.name, release.version):
            raise ArtefactDamaged(
                f"{release.folder / MANIFEST} is of {stated[0]} {stated[1]}, its folder is that of "
                f"{release.name} {release.version}; a version is published, not copied to another one"
            )
        return artefact

    def check_free(self, name: str, version: str) -> None:
        """Raise VersionExists if the version is taken; called before hours are spent on training it."""
        taken = [release.folder for release in self._releases() if (release.name, release.version) == (name, version)]
        if taken or (self.root / name / version).exists():
            folder = next(iter(taken), self.root / name / version)
            raise VersionExists(f"{folder} is already published; raise the version, published ones never change")

    def publish(self, manifest: Manifest, files: Mapping[str, bytes]) -> Path:
        """Write a new version: all files, then the manifest, then one rename into place.

        The checksums in `manifest.files` are computed here; given ones are ignored. A reader sees
        either the whole version or nothing. Raises VersionExists if the version exists,
        ArtefactDamaged if a reader would refuse the files, StoreError if they cannot be written.
        """
        if missing := REQUIRED - files.keys():
            raise ArtefactDamaged(f"an artefact needs {', '.join(sorted(missing))}; got {', '.join(sorted(files))}")
        target = self.root / manifest.name / manifest.version
        check_names(target, manifest, files)
        check_graphs(target, files.items())
        self.check_free(manifest.name, manifest.version)
        with _store_error_on_os_error(target):
            for folder in (self.root, target.parent):
                _make_readable(folder)
            draft = Path(tempfile.mkdtemp(prefix=f".{manifest.version}.", dir=target.parent))
            try:
                entries = {name: _write(draft / name, content) for name, content in files.items()}
                complete = manifest.model_copy(update={"files": entries})
                _write(draft / MANIFEST, (complete.model_dump_json(indent=2) + "\n").encode())
                draft.chmod(0o755)
                _rename(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return target

    def _releases(self) -> list[Release]:
        """All published versions, in arbitrary order."""
        found = []
        for folder in _folders(self.root):
            if is_version(folder.name):
                if _is_published(folder):
                    found.append(Release(_stated_name(folder), folder.name, folder))
            elif is_name(folder.name):
                versions = [version for version in _folders(folder) if is_version(version.name)]
                found += [Release(folder.name, path.name, path) for path in versions if _is_published(path)]
        return found


def is_name(text: str) -> bool:
    """Whether a folder of this name holds the versions of a model."""
    return _NAME.fullmatch(text) is not None and not is_version(text)


def is_version(text: str) -> bool:
    """Whether a folder of this name holds a version, such as 1.2.0."""
    return _VERSION.fullmatch(text) is not None


def _names(releases: list[Release]) -> list[str]:
    return sorted({release.name for release in releases})


def _default_name(releases: list[Release]) -> str:
    names = _names(releases)
    return names[0] if len(names) == 1 else DEFAULT_NAME


def _folders(parent: Path) -> list[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir()]
    except OSError:
        # The folder is absent or not readable, so nothing is published in it.
        return []


def _is_published(folder: Path) -> bool:
    return os.path.exists(folder / MANIFEST)  # noqa: PTH110  # Path.exists raises where this user may not enter


def _unreadable(root: Path) -> str:
    """The end of a message: the first folder of the store that this user may not read, if there is one."""
    folders = [root, *_folders(root), *(version for folder in _folders(root) for version in _folders(folder))]
    for folder in folders:
        try:
            with os.scandir(folder):
                (folder / MANIFEST).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return f"; {folder} cannot be read: {error.strerror}"
    return ""


def _stated_name(folder: Path) -> str:
    """The name in the manifest of a version in the older layout; the default name if its manifest is damaged."""
    try:
        name = json.loads((folder / MANIFEST).read_bytes())["name"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return DEFAULT_NAME
    return name if isinstance(name, str) else DEFAULT_NAME


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _make_readable(folder: Path) -> None:
    """Make the folder unless it is there; a service of another user can read it, whatever the publisher's umask is."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _write(path: Path, content: bytes) -> FileEntry:
    with path.open("wb") as file:
        # See _make_readable.
        os.fchmod(file.fileno(), 0o644)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _rename(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if not target.exists():
            raise
        # Another publisher was faster: a rename onto a folder with content fails and changes nothing.
        raise VersionExists(f"{target} was published meanwhile; raise the version") from error


@contextmanager
def _store_error_on_os_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error} ({error.filename})") from error
