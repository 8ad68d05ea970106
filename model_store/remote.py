"""A store in an object store or on another server, at any address that fsspec supports, such as s3://bucket/folder.

Artefacts are copied to a folder on disk, verified by their checksums, and opened from there. While
the store cannot be reached, a process starts from an earlier copy.
"""

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from model_store.artefact import (
    LARGEST_MANIFEST,
    MANIFEST,
    Artefact,
    check_accepted,
    check_names,
    check_size,
    parse_manifest,
)
from model_store.errors import (
    ArtefactDamaged,
    ArtefactError,
    ArtefactMissing,
    ModelStoreError,
    StoreError,
    StoreUnavailable,
)
from model_store.manifest import FileEntry, Manifest
from model_store.store import LATEST, Release, Store, is_name, is_version

_logger = logging.getLogger(__name__)

# At least two letters: a single one is a drive. `Path` turns two slashes into one.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])")
_CHUNK = 256 * 1024
# For all files of one version. A silent connection ends sooner, by the time-outs of the file system (15 s for S3).
_LONGEST_COPY_S = 300.0


def open_store(place: Path | str) -> Store:
    """The store in a folder, or at an address such as s3://bucket/folder."""
    address = _ADDRESS.match(str(place))
    if address is None:
        return Store(Path(place))
    return RemoteStore(f"{address[1]}://{str(place)[address.end() :]}", default_cache())


def default_cache() -> Path:
    """Where copies are kept: XDG_CACHE_HOME/paper-subjects, by default in the user's ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paper-subjects"


class RemoteStore(Store):
    """All models below one address, in folders NAME/VERSION."""

    def __init__(self, address: str, cache: Path, filesystem: Any = None) -> None:
        """`filesystem` is that of the address, from fsspec; by default fsspec finds it, with its credentials.

        Raises StoreUnavailable if no installed package supports the address.
        """
        # Copies of different stores do not mix.
        super().__init__(
            cache / hashlib.sha256(address.encode()).hexdigest()[:16], place=re.sub(r"//[^/@]*@", "//", address)
        )
        self._files = filesystem or _filesystem(address, self.place)
        self._top = str(self._files._strip_protocol(address)).rstrip("/")

    def open(self, name: str | None = None, version: str = LATEST, sha256: str | None = None) -> Artefact:
        """The verified artefact of a release, copied to disk; from an earlier copy if the store cannot be reached."""
        try:
            return self._fetched(self.resolve(name, version), sha256)
        except StoreUnavailable as error:
            try:
                earlier = Store(self.root).open(name, version, sha256)
            except ArtefactError:
                raise error from None
            _logger.warning("%s; using the copy in %s", error, self.root)
            return earlier

    def publish(self, manifest: Manifest, files: Mapping[str, bytes]) -> Path:
        """Raise StoreError: an object store has no rename by which a version appears as a whole."""
        raise StoreError(f"{self.place} is only read; publish into a folder, and copy it there, its {MANIFEST} last")

    def _releases(self) -> list[Release]:
        with self._sentence():
            # Listings are cached by default, but a reload must see new versions.
            self._files.invalidate_cache()
            paths = self._files.find(self._top, maxdepth=3)
        found = []
        for path in paths:
            parts = str(path)[len(self._top) :].strip("/").split("/")
            if len(parts) == 3 and parts[2] == MANIFEST and is_name(parts[0]) and is_version(parts[1]):
                found.append(Release(parts[0], parts[1], self.root / parts[0] / parts[1]))
        return found

    def _fetched(self, release: Release, sha256: str | None) -> Artefact:
        if not self._copy(release, sha256):
            try:
                return self._open(release, sha256)
            except (ArtefactMissing, ArtefactDamaged):
                # The copy was complete once. Somebody who cleans up may have deleted a file.
                self._move_away(release.folder)
                self._copy(release, sha256)
        return self._open(release, sha256)

    def _copy(self, release: Release, sha256: str | None) -> bool:
        """Copy a release unless it is there already; returns whether it was copied.

        Raises ArtefactDamaged if its manifest is not the only one that is accepted, before anything is copied.
        """
        source = f"{self._top}/{release.name}/{release.version}"
        with self._sentence(), self._files.open(f"{source}/{MANIFEST}", "rb") as file:
            raw = file.read(LARGEST_MANIFEST + 1)
        found = hashlib.sha256(raw).hexdigest()
        check_accepted(Path(self.place) / release.name / release.version / MANIFEST, found, sha256)
        if _is_copy(release.folder, raw):
            return False
        manifest = parse_manifest(Path(self.place) / release.name / release.version, raw)
        check_names(release.folder, manifest, manifest.files)
        check_size(release.folder, manifest)
        with self._sentence_for_cache():
            release.folder.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{release.version}.", dir=release.folder.parent))
        try:
            self._copy_files(source, manifest, draft)
            with self._sentence_for_cache():
                (draft / MANIFEST).write_bytes(raw)
                self._put(draft, release.folder, raw)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return True

    def _put(self, draft: Path, folder: Path, raw: bytes) -> None:
        """Rename a draft into place, unless another process that copied at the same time was faster."""
        if _is_copy(folder, raw):
            return
        # An earlier copy, with another manifest.
        self._move_away(folder)
        try:
            draft.rename(folder)
        except OSError:
            if not _is_copy(folder, raw):
                raise

    def _move_away(self, folder: Path) -> None:
        """Remove a copy at once; files that another process has open stay readable."""
        with self._sentence_for_cache():
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                with suppress(FileNotFoundError):
                    folder.rename(aside / folder.name)
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def _copy_files(self, source: str, manifest: Manifest, draft: Path) -> None:
        until = time.monotonic() + _LONGEST_COPY_S
        for name, entry in manifest.files.items():
            shown = f"{self.place}/{manifest.name}/{manifest.version}/{name}"
            with self._sentence(), self._files.open(f"{source}/{name}", "rb", block_size=_CHUNK) as file:
                content = self._verified_chunks(shown, file, entry, until)
                with self._sentence_for_cache(), (draft / name).open("wb") as copy:
                    copy.writelines(content)

    def _verified_chunks(self, shown: str, file: IO[bytes], entry: FileEntry, until: float) -> Iterator[bytes]:
        """The content of a file, chunk by chunk; raises after the last one if size or checksum is wrong."""
        digest, size = hashlib.sha256(), 0
        while chunk := self._read(file):
            size += len(chunk)
            if size > entry.bytes:
                break
            if time.monotonic() > until:
                raise StoreUnavailable(f"{shown} is too slow: the files took more than {_LONGEST_COPY_S:.0f} s")
            digest.update(chunk)
            yield chunk
        if size != entry.bytes:
            raise ArtefactDamaged(f"{shown} has {size} bytes or more, expected {entry.bytes}: truncated or changed")
        if digest.hexdigest() != entry.sha256:
            raise ArtefactDamaged(f"{shown} has sha256 {digest.hexdigest()}, expected {entry.sha256}: it was changed")

    def _read(self, file: IO[bytes]) -> bytes:
        with self._sentence():
            return file.read(_CHUNK)

    @contextmanager
    def _sentence(self) -> Iterator[None]:
        """Turn what the libraries raise into StoreUnavailable: those of HTTP, of S3 and of sockets share no base."""
        try:
            yield
        except ModelStoreError:
            raise
        except FileNotFoundError as error:
            raise ArtefactMissing(f"{self.place}: {_first_line(error)} is not there") from error
        except Exception as error:
            raise StoreUnavailable(f"{self.place} cannot be read: {_first_line(error)}") from error

    @contextmanager
    def _sentence_for_cache(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the copies of {self.place} cannot be written to {self.root}: {error.strerror or error}; "
                "let XDG_CACHE_HOME name a folder that can be written"
            ) from error


def _is_copy(folder: Path, manifest: bytes) -> bool:
    """Whether there is a copy with this manifest; it was complete when it was renamed into place."""
    path = folder / MANIFEST
    return path.is_file() and path.read_bytes() == manifest


def _filesystem(address: str, shown: str) -> Any:
    try:
        import fsspec

        return fsspec.core.url_to_fs(address)[0]
    except (ImportError, ValueError) as error:
        raise StoreUnavailable(
            f"{shown} cannot be read: {_first_line(error)}; for S3 install paper-subjects[s3]"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
