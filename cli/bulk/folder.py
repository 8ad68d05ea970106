"""Files of a run on local disks and in object stores, by addresses that fsspec supports."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import fsspec

from cli.errors import CliError
from tables import TableError
from tables.reader import format_of


class Folder:
    """A folder, given by path or address; files in it appear complete or not at all."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._system, self._root = fsspec.core.url_to_fs(address)
        self._is_local = "file" in _protocols(self._system)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self._system.exists(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """Names of the files in a subfolder; none if it does not exist."""
        self._system.invalidate_cache()
        if not self._system.exists(self._path(folder)):
            return []
        return [PurePosixPath(path).name for path in self._system.ls(self._path(folder), detail=False)]

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return bytes(self._system.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file as a whole: object stores do that by themselves, a local disk by a rename."""
        path = self._path(name)
        if not self._is_local:
            self._system.pipe_file(path, content)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=Path(path).parent, prefix=".", delete=False) as file:
            file.write(content)
        # With the permissions of the user's other files, which a temporary file does not have.
        Path(file.name).chmod(0o666 & ~_umask())
        Path(file.name).replace(path)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def find_tables(address: str, output: str) -> list[str]:
    """The addresses of the tables: one file, those of a folder, or those that match a pattern.

    Files in the folder `output` are left out. Raises CliError if there are none.
    """
    system, path = fsspec.core.url_to_fs(address)
    if system.isdir(path):
        paths = [each for each in system.find(path) if _is_table(each, path)]
    elif system.exists(path):
        paths = [path]
    else:
        paths = [each for each in system.glob(path) if system.isfile(each)]
    output_system, folder = fsspec.core.url_to_fs(output)
    if type(output_system) is type(system):
        paths = [each for each in paths if not each.startswith(f"{folder.rstrip('/')}/")]
    if not paths:
        raise CliError(f"{address}: there is no table")
    return sorted(path if "file" in _protocols(system) else system.unstrip_protocol(path) for path in paths)


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """A local file with the content of an address: the file itself, or a copy that is deleted afterwards."""
    system, path = fsspec.core.url_to_fs(address)
    if "file" in _protocols(system):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / PurePosixPath(path).name
        system.get_file(path, str(copy))
        yield copy


def size(address: str) -> int:
    """The size of a file in bytes."""
    system, path = fsspec.core.url_to_fs(address)
    return int(system.size(path))


def _protocols(system: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _is_table(path: str, folder: str) -> bool:
    """Whether this file of a folder is a table, and neither hidden nor a note that this command or Spark left."""
    try:
        format_of(Path(path))
    except TableError:
        return False
    below = PurePosixPath(path.removeprefix(folder.rstrip("/")).lstrip("/"))
    return not any(part.startswith((".", "_")) for part in below.parts)


def _umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask
