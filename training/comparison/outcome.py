"""What came of one variant with one seed, kept as JSON."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Outcome(BaseModel):
    """Figures of a finished run, or the error that ended it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    seed: int
    config: dict[str, Any]
    """The run's whole configuration: an outcome of another one is none."""
    error: str | None = None
    train_papers: int = 0
    figures: dict[str, float] = {}
    """By name: quality on the validation papers, `training_seconds`, `seconds_per_paper`, `bytes`."""
    curve: tuple[tuple[float, float], ...] = ()
    """Step and micro-F1 of each evaluation while training."""

    def write(self, path: Path) -> None:
        """Under its name only when it is whole."""
        part = path.with_suffix(".part")
        part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The outcome in a file; none if there is no such file."""
        return cls.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None
