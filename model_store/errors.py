"""Errors of this package.

ModelStoreError
├── ArtefactError            the files are not a usable artefact
│   ├── ArtefactMissing      no such version
│   ├── ArtefactDamaged      a file is absent, short, changed or unexpected
│   ├── ArtefactTooNew       written by a later schema than this code reads
│   └── GoldenMismatch       this machine does not reproduce the recorded scores
├── VersionExists            the version to publish exists already
├── StoreError               the store cannot be written
├── StoreUnavailable         the store of another machine cannot be reached
└── PaperError               a paper that cannot be classified
"""


class ModelStoreError(Exception):
    """Base class of the errors that this package raises."""


class ArtefactError(ModelStoreError):
    """The files at hand are not a usable artefact."""


class ArtefactMissing(ArtefactError):
    """The version asked for is not in the store."""


class ArtefactDamaged(ArtefactError):
    """A file of the artefact is absent, short, changed or unexpected."""


class ArtefactTooNew(ArtefactError):
    """The manifest follows a later schema than this code reads."""


class GoldenMismatch(ArtefactError):
    """The golden papers do not get their recorded scores on this machine."""


class VersionExists(ModelStoreError):
    """An artefact of this version is already published; versions never change."""


class StoreError(ModelStoreError):
    """The store cannot be written."""


class StoreUnavailable(ModelStoreError):
    """A store on another machine cannot be reached or does not answer."""


class PaperError(ModelStoreError):
    """The paper cannot be classified; the message never contains its text."""
