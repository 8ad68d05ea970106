"""Which artefact answers, and the change from one to the next. Knows the store; knows no HTTP and no threads."""

from collections.abc import Sequence
from typing import Protocol, Self

from model_store.labels import Measured
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper
from model_store.store import Store


class Classifier(Protocol):
    """What the service needs of a classifier; runs of `measure` from several threads may overlap."""

    manifest: Manifest
    sha256: str

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        """One encoding per paper; raises PaperError for a paper without text."""
        ...

    def measure(self, encoding: Encoding) -> Measured:
        """Probabilities and distance of one paper."""
        ...


class Versions:
    """The classifier in service, and where its successor comes from."""

    def __init__(
        self, current: Classifier, store: Store | None = None, wanted: str = "latest", name: str | None = None
    ) -> None:
        self.current = current
        self._store = store
        self._wanted = wanted
        self._name = name

    @classmethod
    def open(cls, store: Store, wanted: str, name: str | None = None) -> Self:
        """Start with the wanted version ("latest": the newest) of a model; raises ArtefactError."""
        current = _load(store, name, wanted)
        # Where the store's only model was meant, that one is meant as long as this process runs.
        return cls(current, store, wanted, current.manifest.name)

    def successor(self) -> Classifier | None:
        """The wanted version, loaded and proven beside the current one; None if that is the current one.

        Takes seconds; nothing changes until `switch`. Raises ArtefactError.
        """
        if self._store is None:
            return None
        if self._store.resolve(self._name, self._wanted).version == self.current.manifest.version:
            return None
        return _load(self._store, self._name, self._wanted)

    def switch(self, successor: Classifier) -> None:
        """From now on new requests get `successor`; those under way keep the classifier they began with."""
        self.current = successor


def _load(store: Store, name: str | None, wanted: str) -> Classifier:
    # One thread within a run: the workers beside each other already fill the processors.
    return store.open(name, wanted).proven(threads=1)
