"""What can be set from outside. Knows names, defaults and bounds; nothing here changes a score."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

import model_store
from model_store.cpus import usable_cpus

PREFIX = "PAPERS_"
# The encoder family reads no more word pieces than this, so a permit for one paper is never larger.
LONGEST_PAPER_TOKENS = 512

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class SettingsError(Exception):
    """A variable that is unknown or has an unusable value; the message names it."""


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """All settings of the service; each field is the variable PAPERS_<FIELD> in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    artefacts: Path = Path(model_store.__file__).parent / "artefacts"
    version: str = Field(default="latest", min_length=1)
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    threads: Count = Field(default_factory=usable_cpus)
    max_body_bytes: Count = 1024 * 1024
    max_papers: Count = 64
    max_title_chars: Count = 2_000
    max_abstract_chars: Count = 100_000
    max_queue: Count = 256
    max_queue_tokens: Count = 65_536
    max_explained_sentences: Annotated[int, Field(ge=4)] = 40
    max_waiting_explanations: Annotated[int, Field(ge=0)] = 4
    request_timeout_s: Seconds = 10.0
    header_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 5.0
    keep_alive_timeout_s: Count = 65
    drain_timeout_s: Seconds = 20.0
    drain_notice_s: float = Field(default=1.0, ge=0, le=600, allow_inf_nan=False)
    stall_timeout_s: Seconds = 5.0
    probe_interval_s: Seconds = 5.0
    ready_window_s: Seconds = 15.0
    live_window_s: Seconds = 60.0
    api_key_file: Path | None = None
    open_health: bool = True
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "human"] = "auto"
    traces: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Settings from environment variables; raises SettingsError, naming the variable."""
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        for name in sorted(given):
            _refuse_unknown(name, known=[_variable(field) for field in cls.model_fields])
        try:
            return cls.model_validate({name.removeprefix(PREFIX).lower(): value for name, value in given.items()})
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None

    @model_validator(mode="after")
    def _largest_batch_fits_the_queue(self) -> Self:
        if self.max_papers > self.max_queue:
            raise ValueError(f"PAPERS_MAX_PAPERS is {self.max_papers}, expected at most PAPERS_MAX_QUEUE")
        if self.max_papers * LONGEST_PAPER_TOKENS > self.max_queue_tokens:
            needed = self.max_papers * LONGEST_PAPER_TOKENS
            raise ValueError(f"PAPERS_MAX_QUEUE_TOKENS is {self.max_queue_tokens}, a full batch may need {needed}")
        return self

    @model_validator(mode="after")
    def _health_windows_are_ordered(self) -> Self:
        if not self.probe_interval_s < self.ready_window_s <= self.live_window_s:
            raise ValueError("expected PAPERS_PROBE_INTERVAL_S < PAPERS_READY_WINDOW_S <= PAPERS_LIVE_WINDOW_S")
        return self


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _refuse_unknown(name: str, known: list[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise SettingsError(f"{name} is not a setting of this service; {hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    return f"{_variable(str(first['loc'][0]))} is {first['input']!r}: {first['msg'].lower()}"
