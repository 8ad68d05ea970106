"""TOML files as validated objects; errors name file, key and what was expected."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from training.errors import ConfigError

_M = TypeVar("_M", bound=BaseModel)


class Section(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """A TOML file as a document and as its text; ConfigError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
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
        lines = (f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigError("\n".join([f"{complaint}:", *lines])) from None
