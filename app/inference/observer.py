"""What the engine reports to metrics and logs."""

from typing import Literal, NamedTuple, Protocol

from model_store.labels import Decision, GraphOutput
from model_store.manifest import Manifest
from model_store.papers import Encoding

UnhealthyReason = Literal["dead", "stalled"]
ReloadOutcome = Literal["switched", "unchanged", "refused"]


class Scored(NamedTuple):
    """A paper that went through the network, and how many seconds each stage took."""

    encoding: Encoding
    output: GraphOutput
    queue_s: float
    encode_s: float
    infer_s: float


class Observer(Protocol):
    """Receives the engine's events on the event loop, `inference_failed` also from worker threads.

    An implementation must not block; it never receives a submitted text.
    """

    def in_service(self, manifest: Manifest, sha256: str, workers: int) -> None:
        """This artefact answers new requests from now on."""

    def classified(self, manifest: Manifest, scored: Scored, decision: Decision) -> None:
        """One paper of a client was answered."""

    def state(self, waiting_papers: int, ready: bool) -> None:
        """The current length of the queue and readiness; reported several times a second."""

    def worker_replaced(self, reason: UnhealthyReason) -> None:
        """A worker thread was given up and replaced."""

    def inference_failed(self, error: BaseException) -> None:
        """The tokenizer or the network raised an error."""

    def probe_failed(self, error: Exception) -> None:
        """The periodic probe of the engine failed; TimeoutError if it took too long."""

    def reload_finished(self, outcome: ReloadOutcome, version: str, error: Exception | None = None) -> None:
        """A reload ended; `version` is the one in service, `error` says why a new artefact was refused."""

    def draining(self, papers: int) -> None:
        """Shutdown began while this many papers had no answer yet."""

    def drain_timed_out(self, papers: int) -> None:
        """Shutdown continues although this many papers have no answer."""
