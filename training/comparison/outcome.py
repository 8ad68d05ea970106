"""What came of each variant with each seed, kept as JSON lines."""

from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from training.config import RunConfig


def fingerprint(config: RunConfig) -> str:
    """The sha256 of what a run sets; a key it leaves at its default counts no more than one it has not heard of."""
    return sha256(config.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def pretraining_fingerprint(config: RunConfig) -> str | None:
    """The same of what further pre-training depends on, papers included; none if there is none."""
    if config.pretrain is None:
        return None
    # Papers of other files are all the same to it but for those held out.
    anywhere = {"train": (), "sample": None, "share": 1.0} if config.pretrain.texts else {}
    parts = (config.encoder, config.pretrain, config.input, config.data.model_copy(update=anywhere))
    text = "\n".join(part.model_dump_json(exclude_defaults=True) for part in parts)
    return sha256(f"{config.seed}\n{text}".encode()).hexdigest()


class Outcome(BaseModel):
    """Figures of a finished run, or the error that ended it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    seed: int
    config: str
    """The run's fingerprint: an outcome of another one is none."""
    error: str | None = None
    train_papers: int = 0
    figures: dict[str, float] = {}
    """By name: quality on the validation papers, `training_seconds`, `seconds_per_paper`, `bytes`."""
    curve: tuple[tuple[float, float], ...] = ()
    """Step and micro-F1 of each evaluation while training."""


class Journal:
    """The outcomes of a comparison in one small file, so that they can be kept, moved and gone on from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Outcome]:
        """The latest outcome of each variant and seed; none if there is no such file yet."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines()
        outcomes = [Outcome.model_validate_json(line) for line in lines]
        return list({(outcome.variant, outcome.seed): outcome for outcome in outcomes}.values())

    def keep(self, outcome: Outcome) -> None:
        """Add an outcome; it counts in the place of an older one of the same variant and seed."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")  # one write: other processes may add theirs
