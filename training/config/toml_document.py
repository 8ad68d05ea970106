"""TOML files as validated objects; errors name file, key and what was expected."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from training.errors import ConfigError

_M = TypeVar("_M", bound=BaseModel)


class Section(BaseModel):
    """Immutable; unknown keys are errors, and so are TOML's `inf` and `nan`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """A TOML file as a document and as its text; ConfigError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' editors write a byte order mark
        return tomllib.loads(text), text
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def validated(kind: type[_M], document: Mapping[str, Any], complaint: str) -> _M:
    """The document as an object of this kind; ConfigError with `complaint` and every invalid key."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = (f"  {_place(e)}{e['msg'].removeprefix('Value error, ')}" for e in _causes(error))
        raise ConfigError("\n".join([f"{complaint}:", *lines])) from None


def _place(error: ErrorDetails) -> str:
    return f"{'.'.join(map(str, error['loc']))}: " if error["loc"] else ""


def _causes(error: ValidationError) -> list[ErrorDetails]:
    """The errors but those of arrays that are only too short because one of their elements is wrong."""
    errors = error.errors(include_input=False)
    places = [e["loc"] for e in errors]
    return [
        e
        for e in errors
        if e["type"] != "too_short"
        or not any(len(loc) > len(e["loc"]) and loc[: len(e["loc"])] == e["loc"] for loc in places)
    ]
