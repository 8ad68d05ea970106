"""From papers to verdicts, at a service. Knows the client, no files; needs httpx."""

from collections.abc import Sequence
from pathlib import Path

from cli.errors import CliError
from cli.labellers import Outcome, Refusal, Verdict, model_name
from client import Answer, Client, Failure, ServiceError
from client import Paper as Sent
from model_store.papers import Paper


class RemoteLabeller:
    """With a service; the client batches and retries."""

    at_once = 64

    def __init__(self, client: Client) -> None:
        """Asks for the labels; raises CliError if the service does not tell."""
        self._client = client
        try:
            self._card = client.card()
        except ServiceError as error:
            raise CliError(error.detail if error.status is None else f"the service does not answer: {error}") from None
        self.labels = tuple(label.name for label in self._card.labels)
        self.model = model_name(self._card.name, self._card.version, self._card.sha256)

    def __call__(self, papers: Sequence[Paper]) -> list[Outcome]:
        try:
            return [self._outcome(answer) for answer in self._client.classify_many(Sent(*paper) for paper in papers)]
        except ServiceError as error:
            raise CliError(f"the service stopped answering: {error}") from None

    def _outcome(self, answer: Answer) -> Outcome:
        if isinstance(answer, Failure):
            return Refusal("; ".join(fault.detail for fault in answer.error.errors or ()) or answer.error.detail)
        if answer.model.sha256 != self._card.sha256:
            raise CliError(f"the service changed to version {answer.model.version}; one table is made by one version")
        return Verdict(answer.labels, answer.status, [answer.probabilities[name] for name in self.labels])


def connect(url: str, key_file: Path | None) -> Client:
    """A client; the key comes from a file, since a command line is for all users to see."""
    try:
        key = key_file.read_text().strip() if key_file else None
        return Client(url, key)
    except (OSError, UnicodeDecodeError):
        raise CliError(f"--key-file is {key_file}, which cannot be read as text") from None
    except ValueError as error:
        raise CliError(str(error)) from None
