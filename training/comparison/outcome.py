"""The outcome of each variant with each seed, stored as JSON lines."""

from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from training.config import RunConfig
from training.provenance import unread_in_pretraining


def fingerprint(config: RunConfig) -> str:
    """The sha256 of the keys of a run that differ from their defaults, so that new keys do not change it."""
    return sha256(config.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def pretraining_fingerprint(config: RunConfig) -> str | None:
    """The same of everything that further pre-training depends on; None without further pre-training."""
    if config.pretrain is None:
        return None
    neutral = {"train": (), "sample": None, "share": 1.0}
    unread = {key: neutral[key] for key in unread_in_pretraining(config)}
    parts = (config.encoder, config.pretrain, config.input, config.data.model_copy(update=unread))
    text = "\n".join(part.model_dump_json(exclude_defaults=True) for part in parts)
    return sha256(f"{config.seed}\n{text}".encode()).hexdigest()


class Outcome(BaseModel):
    """Figures of a finished run, or the error that ended it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    seed: int
    config: str
    """The fingerprint of the run; an outcome with another one is ignored."""
    error: str | None = None
    train_papers: int = 0
    figures: dict[str, float] = {}
    """By name: quality on the validation papers, `training_seconds`, `seconds_per_paper`, `bytes`."""
    curve: tuple[tuple[float, float], ...] = ()
    """Step and micro-F1 of each evaluation while training."""


class Journal:
    """The outcomes of a comparison in one small file, from which a later call continues."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Outcome]:
        """The latest outcome of each variant and seed; empty if the file does not exist yet."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines()
        outcomes = [Outcome.model_validate_json(line) for line in lines]
        return list({(outcome.variant, outcome.seed): outcome for outcome in outcomes}.values())

    def append(self, outcome: Outcome) -> None:
        """Add an outcome; it replaces an earlier one of the same variant and seed."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")  # a single write, since other processes may append too
