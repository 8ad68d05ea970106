"""One published version of a model: its files, read once and verified."""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError
from tokenizers import Tokenizer

from model_store.classifier import Classifier
from model_store.errors import ArtefactDamaged, ArtefactError, ArtefactMissing, ArtefactTooNew
from model_store.external_data import reads_other_files
from model_store.golden import Golden
from model_store.graph import ExitingGraph, Graph, OnnxGraph
from model_store.manifest import SCHEMA_VERSION, FileEntry, Manifest, schema_of
from model_store.papers import PaperEncoder

MANIFEST = "manifest.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
GOLDEN = "golden.json"
CARD = "CARD.md"

REQUIRED = frozenset({GRAPH, TOKENIZER, GOLDEN, CARD})
# Data only: none of these can execute anything when it is read.
_ALLOWED_SUFFIXES = frozenset({".onnx", ".json", ".md", ".png"})

# A manifest of a thousand labels has about one megabyte.
LARGEST_MANIFEST = 16 * 2**20
# All files together; an ONNX file cannot exceed 2 GiB in any case.
_LARGEST_ARTEFACT = 2**31


class Artefact:
    """One verified version: its manifest and the bytes of its files."""

    def __init__(self, folder: Path, sha256: str | None = None) -> None:
        """Read and verify every file.

        If `sha256` is given, only the manifest with this checksum is accepted. Raises ArtefactMissing,
        ArtefactDamaged or ArtefactTooNew, naming the file and what was expected.
        """
        raw = _read(folder / MANIFEST, LARGEST_MANIFEST)
        self.folder = folder
        self.sha256 = hashlib.sha256(raw).hexdigest()
        """Of the manifest, which holds the checksums of all other files."""
        check_accepted(folder / MANIFEST, self.sha256, sha256)
        self.manifest = parse_manifest(folder, raw)
        check_names(folder, self.manifest, self.manifest.files)
        check_size(folder, self.manifest)
        _check_folder(folder, self.manifest)
        self.files = {name: _verified(folder / name, entry) for name, entry in self.manifest.files.items()}
        check_graphs(folder, self.files.items())

    def golden(self) -> Golden:
        """The golden papers; raises ArtefactDamaged."""
        try:
            return Golden.model_validate_json(self.files[GOLDEN])
        except ValidationError as error:
            raise ArtefactDamaged(f"{self.folder / GOLDEN} is not valid: {_first_fault(error)}") from None

    def card(self) -> str:
        """The model card, Markdown."""
        return self.files[CARD].decode(errors="replace")

    def classifier(self, threads: int = 1) -> Classifier:
        """A classifier over this artefact; `threads` is how many one paper's run may use.

        Raises ArtefactDamaged if the tokenizer or the graph cannot be loaded.
        """
        with _damaged_on_error(f"{self.folder / TOKENIZER} cannot be loaded"):
            encoder = PaperEncoder(Tokenizer.from_buffer(self.files[TOKENIZER]), self.manifest.input)
        with _damaged_on_error(f"{self.folder / GRAPH} cannot be loaded"):
            graph = self._graph(threads)
        return Classifier(self.manifest, self.sha256, encoder, graph)

    def _graph(self, threads: int) -> Graph:
        if self.manifest.exits:
            return ExitingGraph(self.manifest, self.files, threads)
        return OnnxGraph(self.files[GRAPH], threads)

    def verified_classifier(self, threads: int = 1) -> Classifier:
        """A classifier that has reproduced the golden papers on this machine; raises ArtefactError."""
        classifier = self.classifier(threads)
        with _damaged_on_error(f"{self.folder} cannot score its golden papers"):
            self.golden().replay(classifier)
        return classifier


def check_accepted(path: Path, sha256: str, accepted: str | None) -> None:
    """Raise ArtefactDamaged if the manifest at `path` has another checksum than the accepted one; None accepts all."""
    if accepted not in (None, sha256):
        raise ArtefactDamaged(f"{path} has sha256 {sha256}, the one that is accepted is {accepted}")


def check_names(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Raise ArtefactDamaged unless these are the plain names of data files, with all that are required."""
    required = REQUIRED | {exit_.file for exit_ in manifest.exits}
    for name in names:
        if Path(name).name != name or Path(name).suffix not in _ALLOWED_SUFFIXES:
            raise ArtefactDamaged(
                f"{folder / MANIFEST} lists {name!r}; expected plain names of ONNX, JSON, Markdown or PNG files"
            )
    if missing := required - set(names):
        raise ArtefactDamaged(f"{folder / MANIFEST} does not list {', '.join(sorted(missing))}")


def check_graphs(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Raise ArtefactDamaged if a graph is not ONNX or has weights in other files."""
    for name, content in files:
        if Path(name).suffix != ".onnx":
            continue
        try:
            external = reads_other_files(content)
        except ValueError as error:
            raise ArtefactDamaged(f"{folder / name} is not an ONNX model: {error}") from None
        if external:
            raise ArtefactDamaged(f"{folder / name} has weights in other files; export it with all weights inside")


def parse_manifest(folder: Path, raw: bytes) -> Manifest:
    """The manifest in `raw`, read from `folder`; raises ArtefactDamaged or ArtefactTooNew."""
    path = folder / MANIFEST
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise ArtefactDamaged(f"{path} is not JSON; it is truncated or was changed after publishing") from None
    if not isinstance(document, dict):
        raise ArtefactDamaged(f"{path} holds a JSON {type(document).__name__}, expected an object")
    schema = schema_of(document)
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise ArtefactTooNew(f"{path} has schema {schema}, this program reads up to {SCHEMA_VERSION}; upgrade it")
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ArtefactDamaged(f"{path} is not a valid manifest: {_first_fault(error)}") from None


def check_size(folder: Path, manifest: Manifest) -> None:
    """Raise ArtefactDamaged if the files are too large to be read."""
    if sum(entry.bytes for entry in manifest.files.values()) > _LARGEST_ARTEFACT:
        raise ArtefactDamaged(f"{folder / MANIFEST} lists more than {_LARGEST_ARTEFACT} bytes, the most that is read")


def _check_folder(folder: Path, manifest: Manifest) -> None:
    try:
        with os.scandir(folder) as entries:
            unlisted = next((entry.name for entry in entries if entry.name not in {MANIFEST, *manifest.files}), None)
    except OSError as error:
        raise ArtefactDamaged(f"{folder} cannot be read: {error.strerror}") from None
    if unlisted is not None:
        raise ArtefactDamaged(f"{folder / unlisted} is not listed in {MANIFEST}; an artefact holds nothing else")


def _verified(path: Path, entry: FileEntry) -> bytes:
    content = _read(path, entry.bytes)
    if len(content) != entry.bytes:
        raise ArtefactDamaged(f"{path} has {len(content)} bytes, expected {entry.bytes}: truncated or changed")
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.sha256:
        raise ArtefactDamaged(f"{path} has sha256 {digest}, expected {entry.sha256}: it was changed")
    return content


def _read(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes; a pipe or a device would never end."""
    try:
        # Neither wait for the writer of a named pipe nor follow a link out of the store.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _check_regular(path, os.fstat(descriptor), most)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(most + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise ArtefactMissing(f"{path} does not exist; a complete artefact has it") from None
    except OSError as error:
        link = "a symbolic link, expected a regular file" if path.is_symlink() else f"not readable: {error.strerror}"
        raise ArtefactDamaged(f"{path} is {link}") from None


def _check_regular(path: Path, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ArtefactDamaged(f"{path} is not a regular file; an artefact holds nothing else")
    if status.st_size > most:
        raise ArtefactDamaged(f"{path} has {status.st_size} bytes, expected at most {most}")


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


@contextmanager
def _damaged_on_error(what: str) -> Iterator[None]:
    """Turn whatever the libraries raise into ArtefactDamaged: their errors have no common base class."""
    try:
        yield
    except (ArtefactError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # A panic in the tokenizer, which is written in Rust, is a BaseException, not an Exception.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ArtefactDamaged(f"{what}: {reason}") from error
