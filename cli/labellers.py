"""Labels papers with a classifier in this process."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from model_store.classifier import Classifier
from model_store.errors import PaperError
from model_store.papers import Paper


class Labels(NamedTuple):
    """The labels of a model, in the order of probabilities: their names, and their URIs where they have any."""

    names: tuple[str, ...]
    uris: tuple[str | None, ...]


class Prediction(NamedTuple):
    """The labels of one paper, most probable first; `probabilities` are in the order of all labels.

    `title_only` says that the model read no abstract: there is none, or only words such as "N/A".
    """

    labels: list[str]
    status: str
    probabilities: list[float]
    title_only: bool = False


class Refusal(NamedTuple):
    """The reason why there is no prediction; never contains the paper's text."""

    reason: str


Result = Prediction | Refusal


class Labeller(Protocol):
    """Labels papers; several threads may call it at once."""

    @property
    def labels(self) -> Labels:
        """All labels."""
        ...

    @property
    def model(self) -> str:
        """The model, in the form of `model_name`."""
        ...

    @property
    def at_once(self) -> int:
        """How many papers one call should have."""
        ...

    def __call__(self, papers: Sequence[Paper]) -> list[Result]:
        """One result per paper, in order."""
        ...


def model_name(name: str, version: str, sha256: str) -> str:
    """Name, version and the first 12 digits of the checksum, which tell apart artefacts of one version."""
    return f"{name} {version} {sha256[:12]}"


class LocalLabeller:
    """Labels papers with a classifier in this process."""

    at_once = 8

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        manifest = classifier.manifest
        names = tuple(label.name for label in manifest.labels)
        self.labels = Labels(names, tuple(label.uri for label in manifest.labels))
        self.model = model_name(manifest.name, manifest.version, classifier.sha256)

    def __call__(self, papers: Sequence[Paper]) -> list[Result]:
        return [self._label(paper) for paper in papers]

    def _label(self, paper: Paper) -> Result:
        try:
            result = self._classifier.classify(paper)
        except PaperError as error:
            return Refusal(str(error))
        names = [self.labels.names[i] for i in result.decision.labels]
        # The shortest decimal that rounds to this float32, as in the service's answers.
        scores = [float(str(score)) for score in result.output.scores]
        return Prediction(names, result.decision.status, scores, result.encoding.title_only)
