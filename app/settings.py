"""Settings of the service, read from environment variables. None of them changes a score."""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

import model_store
from model_store.cpus import usable_cpus

PREFIX = "PAPERS_"
LOCAL_HOSTS = ("localhost", "*.localhost", "127.0.0.1", "[::1]")

# A host name or address without scheme, port and path; `*.` at the start stands for any name below a domain.
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class SettingsError(Exception):
    """A variable is unknown or has an unusable value; the message names it."""


def _split_list(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "an origin is a scheme, a host and perhaps a port, without a path or a slash at its end, such as "
                f"https://library.example; {origin!r} is not one"
            )
        scheme, _, rest = origin.partition("://")
        if origin != origin.lower() or rest.endswith(_DEFAULT_PORTS.get(scheme, "/")):
            raise ValueError(
                f"browsers send origins in lower case and without a default port; {origin!r} never matches"
            )
    return origins


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"expected host names without scheme and port, such as papers.example; got {host!r}")
    return hosts


def _check_root_path(path: str) -> str:
    path = path.rstrip("/")
    if not _ROOT_PATH.fullmatch(path):
        raise ValueError("expected a path that begins with a slash, such as /papers")
    return path


class Settings(BaseModel):
    """All settings of the service; each field is the variable PAPERS_<FIELD> in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    root_path: Annotated[str, AfterValidator(_check_root_path)] = ""
    """The path prefix under which a proxy exposes the service."""
    artefacts: Path = Path(model_store.__file__).parent / "artefacts"
    model: str | None = Field(default=None, min_length=1)
    """The name of a model in the store; if unset, its only one, or arxiv-subjects."""
    version: str = Field(default="latest", min_length=1)
    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The only manifest that is accepted; any if unset."""
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
    max_connections: Count = 1_000
    """Per process; fewer if the limit of open files is lower."""
    request_timeout_s: Seconds = 10.0
    """From the complete body of a request to the first byte of its answer."""
    header_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 5.0
    """For each pause in a body, and until `min_body_bytes_per_s` applies."""
    min_body_bytes_per_s: Count = 1_000
    write_timeout_s: Seconds = 20.0
    """For each 48 kB of an answer that the client leaves unread."""
    keep_alive_timeout_s: Count = 65
    """For connections without a request; must be longer than that of a load balancer in front."""
    drain_timeout_s: Seconds = 20.0
    drain_notice_s: float = Field(default=1.0, ge=0, le=600, allow_inf_nan=False)
    stall_timeout_s: Seconds = 5.0
    probe_interval_s: Seconds = 5.0
    ready_window_s: Seconds = 15.0
    live_window_s: Seconds = 60.0
    api_key_file: Path | None = None
    open_health: bool = True
    """Whether /metrics is open to callers without a key; /livez and /readyz always are."""
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_split_list), AfterValidator(_check_hosts)] = ()
    """Names in the Host header. If unset, a service on a loopback address, without keys and without CORS origins,
    accepts only local names from browsers; every other service accepts all."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split_list), AfterValidator(_check_origins)] = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "human"] = "auto"
    traces: bool = False
    annif_api: bool = False
    """Whether to answer Annif's REST API below /v1 as well."""
    open_inference_api: bool = False
    """Whether to answer the Open Inference Protocol below /v2 as well."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Settings from environment variables; raises SettingsError, naming the variable."""
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        known = [_variable(field) for field in cls.model_fields]
        for name in sorted(given):
            _check_known(name, known)
        try:
            return cls.model_validate({name.removeprefix(PREFIX).lower(): value for name, value in given.items()})
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @model_validator(mode="after")
    def _check_queue_holds_a_batch(self) -> Self:
        if self.max_papers > self.max_queue:
            raise ValueError(f"PAPERS_MAX_PAPERS is {self.max_papers}, expected at most PAPERS_MAX_QUEUE")
        return self

    @model_validator(mode="after")
    def _check_order_of_health_windows(self) -> Self:
        if not self.probe_interval_s < self.ready_window_s <= self.live_window_s:
            raise ValueError("expected PAPERS_PROBE_INTERVAL_S < PAPERS_READY_WINDOW_S <= PAPERS_LIVE_WINDOW_S")
        return self


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _check_known(name: str, known: list[str]) -> None:
    if name not in known:
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"known are {', '.join(known)}"
        raise SettingsError(f"{name} is not a setting of this service; {hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    return f"{_variable(str(first['loc'][0]))} is {first['input']!r}: {message[0].lower() + message[1:]}"
