"""The model store: a folder of versions, each complete and unchanging."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from tokenizers import Tokenizer

from model_store.classifier import Classifier, OnnxGraph
from model_store.errors import ArtefactDamaged, ArtefactMissing, ArtefactTooNew, VersionExists
from model_store.golden import Golden
from model_store.manifest import SCHEMA_VERSION, FileEntry, Manifest, schema_of
from model_store.papers import PaperEncoder

MANIFEST = "manifest.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
GOLDEN = "golden.json"
CARD = "CARD.md"

_REQUIRED = frozenset({GRAPH, TOKENIZER, GOLDEN, CARD})
# Data only: none of these can execute anything when it is read.
_ALLOWED_SUFFIXES = frozenset({".onnx", ".json", ".md", ".png"})


class Artefact:
    """One verified version: its manifest and the bytes of its files."""

    def __init__(self, folder: Path) -> None:
        """Read and verify every file.

        Raises ArtefactMissing, ArtefactDamaged or ArtefactTooNew, naming the file and what was expected.
        """
        raw = _read(folder, MANIFEST)
        self.sha256 = hashlib.sha256(raw).hexdigest()
        self.manifest = _parse_manifest(folder, raw)
        _refuse_strangers(folder, self.manifest)
        # What is verified is what is used: the files are read once.
        self.files = {name: _verified(folder, name, entry) for name, entry in self.manifest.files.items()}

    def golden(self) -> Golden:
        """The golden papers."""
        return Golden.model_validate_json(self.files[GOLDEN])

    def card(self) -> str:
        """The model card, Markdown."""
        return self.files[CARD].decode()

    def classifier(self, threads: int = 1) -> Classifier:
        """A classifier over this artefact; `threads` is what one paper's run may use."""
        tokenizer = Tokenizer.from_buffer(self.files[TOKENIZER])
        encoder = PaperEncoder(tokenizer, self.manifest.input)
        return Classifier(self.manifest, self.sha256, encoder, OnnxGraph(self.files[GRAPH], threads))


class Store:
    """All published versions below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self) -> list[str]:
        """Published versions, oldest first; half-written ones have no manifest and do not count."""
        if not self.root.is_dir():
            return []
        found = [path.parent.name for path in self.root.glob(f"*/{MANIFEST}")]
        return sorted((version for version in found if _numbers(version)), key=_numbers)

    def resolve(self, version: str) -> str:
        """The version that `version` means: itself, or the newest for "latest"."""
        versions = self.versions()
        if version == "latest" and versions:
            return versions[-1]
        if version not in versions:
            raise ArtefactMissing(
                f"no artefact of version {version!r} in {self.root}; there is {', '.join(versions) or 'none at all'}"
            )
        return version

    def open(self, version: str = "latest") -> Artefact:
        """The verified artefact of a version; see Artefact for what can be wrong with it."""
        return Artefact(self.root / self.resolve(version))

    def hold_free(self, version: str) -> None:
        """Raise VersionExists if the version is taken: to be asked before the hours that lead to publishing."""
        if (target := self.root / version).exists():
            raise VersionExists(f"{target} is already published; raise the version, published ones never change")

    def publish(self, manifest: Manifest, files: Mapping[str, bytes]) -> Path:
        """Write a new version: all files, then the manifest, then one rename into place.

        The checksums in `manifest.files` are computed here, whatever was in it. A reader sees
        either nothing or all of it. Raises VersionExists rather than change a published version.
        """
        if missing := _REQUIRED - files.keys():
            raise ArtefactDamaged(f"an artefact needs {', '.join(sorted(missing))}; got {', '.join(sorted(files))}")
        self.hold_free(manifest.version)
        target = self.root / manifest.version
        self.root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{manifest.version}.", dir=self.root))
        try:
            entries = {name: _write(draft / name, content) for name, content in files.items()}
            complete = manifest.model_copy(update={"files": entries})
            _write(draft / MANIFEST, (complete.model_dump_json(indent=2) + "\n").encode())
            draft.chmod(0o755)
            _rename(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) for part in parts) if len(parts) == 3 and all(part.isdigit() for part in parts) else ()


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtefactMissing(f"{path} is not there; a complete artefact has it") from None
    except OSError as error:
        raise ArtefactDamaged(f"{path} cannot be read: {error.strerror}") from None


def _parse_manifest(folder: Path, raw: bytes) -> Manifest:
    path = folder / MANIFEST
    try:
        document = json.loads(raw)
    except ValueError:
        raise ArtefactDamaged(f"{path} is no JSON; it is truncated or was changed after publishing") from None
    if not isinstance(document, dict):
        raise ArtefactDamaged(f"{path} holds a JSON {type(document).__name__}, expected an object")
    schema = schema_of(document)
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise ArtefactTooNew(f"{path} has schema {schema}, this program reads up to {SCHEMA_VERSION}; upgrade it")
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtefactDamaged(f"{path} is not a valid manifest: {where}: {first['msg']}") from None


def _refuse_strangers(folder: Path, manifest: Manifest) -> None:
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(present | manifest.files.keys()):
        if name not in manifest.files:
            raise ArtefactDamaged(f"{folder / name} is not listed in {MANIFEST}; an artefact holds nothing else")
        if Path(name).name != name or Path(name).suffix not in _ALLOWED_SUFFIXES:
            raise ArtefactDamaged(
                f"{MANIFEST} lists {name!r}; expected plain names of ONNX, JSON, Markdown or PNG files"
            )
    if missing := _REQUIRED - manifest.files.keys():
        raise ArtefactDamaged(f"{folder / MANIFEST} does not list {', '.join(sorted(missing))}")


def _verified(folder: Path, name: str, entry: FileEntry) -> bytes:
    content = _read(folder, name)
    if len(content) != entry.bytes:
        raise ArtefactDamaged(f"{folder / name} has {len(content)} bytes, expected {entry.bytes}: truncated or changed")
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.sha256:
        raise ArtefactDamaged(f"{folder / name} has sha256 {digest}, expected {entry.sha256}: it was changed")
    return content


def _write(path: Path, content: bytes) -> FileEntry:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _rename(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        # Another publisher was faster: a rename onto a folder with content fails and changes nothing.
        raise VersionExists(f"{target} was published meanwhile; raise the version") from None
