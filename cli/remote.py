"""Labels papers with a service; needs httpx."""

import re
from collections.abc import Sequence
from pathlib import Path

from cli.errors import CliError
from cli.labellers import Labels, Prediction, Refusal, Result, model_name
from cli.terminal import printable
from client import Answer, Client, Failure, Retries, ServiceError
from client import Paper as Sent
from model_store.papers import Paper

# A table takes hours, so a service may restart or be busy for some minutes without ending the run.
RETRIES = Retries(tries=60, total_s=600.0, longest_s=30.0)
# Codes of errors that the paper did not cause: too slow, too many, stalled, not ready, out of time.
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
# The service refuses NUL characters and lone surrogates; the model reads them as spaces.
_REFUSED_CHARACTERS = re.compile("[\x00\ud800-\udfff]")


class RemoteLabeller:
    """Labels papers with a service; the client batches and retries.

    Errors of the service and transient errors never become rejected rows.
    """

    at_once = 64

    def __init__(self, client: Client) -> None:
        """Request the labels; raises CliError if the service does not answer."""
        self._client = client
        try:
            self._card = client.card()
        except ServiceError as error:
            raise CliError(error.detail if error.status is None else f"the service does not answer: {error}") from None
        # Labels become columns of a table, which may be shown on a terminal.
        names = tuple(printable(label.name) for label in self._card.labels)
        self.labels = Labels(names, tuple(getattr(label, "uri", None) for label in self._card.labels))
        self.model = printable(model_name(self._card.name, self._card.version, self._card.sha256))

    def __call__(self, papers: Sequence[Paper]) -> list[Result]:
        try:
            return [self._result(answer) for answer in self._client.classify_many(map(_sent, papers))]
        except ServiceError as error:
            raise CliError(f"the service stopped answering: {error}; continue later with --resume") from None

    def _result(self, answer: Answer) -> Result:
        if isinstance(answer, Failure):
            return self._refusal(answer)
        if answer.model.sha256 != self._card.sha256:
            raise CliError(f"the service changed to version {answer.model.version}; a table is labelled by one version")
        labels = [printable(label) for label in answer.labels]
        scores = [answer.probabilities[label.name] for label in self._card.labels]
        return Prediction(labels, printable(answer.status), scores, not answer.input.abstract)

    def _refusal(self, failure: Failure) -> Refusal:
        problem = failure.error
        if problem.status in _TRANSIENT:
            raise CliError(
                f"the service stopped answering: {problem.status} {problem.code}, also after {RETRIES.total_s:.0f} s; "
                "continue later with --resume"
            )
        return Refusal("; ".join(fault.detail for fault in problem.errors or ()) or problem.detail)


def _sent(paper: Paper) -> Sent:
    return Sent(*(_REFUSED_CHARACTERS.sub(" ", text) for text in paper))


def connect(url: str, key_file: Path | None, retries: Retries = RETRIES) -> Client:
    """A client; the key comes from a file, since all users of a machine can see command lines."""
    try:
        key = key_file.read_text().strip() if key_file else None
    except (OSError, UnicodeDecodeError):
        raise CliError(f"--key-file is {key_file}, which cannot be read as text") from None
    try:
        return Client(url, key, retries=retries)
    except ValueError as error:
        raise CliError(str(error)) from None
