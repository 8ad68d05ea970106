"""What is compared: one run, and variants of it that set some of its keys otherwise."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from training.config import RunConfig, read_toml, validated
from training.errors import ConfigError

Document = dict[str, Any]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleConfig(_Section):
    """How many papers each part is cut down to, seeded; absent: all."""

    train: int | None = Field(default=None, ge=1)
    validation: int | None = Field(default=None, ge=1)


class VariantConfig(_Section):
    """A name, what to set, and what one may expect of it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$", max_length=60, description="also its folder")
    study: str = Field(default="", description="variants of one study share a picture: a table of a paper, say")
    expected: str = Field(default="", description="what others found, with the source")
    set: dict[str, Any] = Field(default={}, description='"input.truncation" = "tail": keys of the run, with dots')


class ComparisonConfig(_Section):
    """A comparison's TOML file."""

    base: Path = Field(description="the run's TOML file, relative to this one")
    seeds: tuple[int, ...] = Field(min_length=1)
    sample: SampleConfig = SampleConfig()
    set: dict[str, Any] = Field(default={}, description="for all variants")
    variant: tuple[VariantConfig, ...] = Field(min_length=1, description="the first is the one others are held against")


@dataclass(frozen=True)
class Variant:
    """One way to train, complete but for the seed."""

    name: str
    study: str
    expected: str
    config: RunConfig

    def seeded(self, seed: int) -> RunConfig:
        """The run of one seed."""
        return self.config.model_copy(update={"seed": seed})


@dataclass(frozen=True)
class Comparison:
    """Variants of one run; all train and score on the papers that the run's own seed draws."""

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    data_seed: int

    @property
    def base(self) -> Variant:
        """The variant that others are held against."""
        return self.variants[0]


def read_comparison(path: Path) -> Comparison:
    """Read a comparison and check every variant; ConfigError names the file, the variant and the key."""
    config = validated(ComparisonConfig, read_toml(path)[0], f"{path} is no valid comparison")
    names = [variant.name for variant in config.variant]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{path}: two variants are called {twice[0]!r}; names are folders and must differ")
    base, _ = read_toml(path.parent / config.base)
    sizes = {"data.sample": config.sample.train, "data.validation_sample": config.sample.validation}
    common = {key: size for key, size in sizes.items() if size is not None} | config.set
    variants = tuple(_variant(base, common, variant, f"{path}, variant {variant.name!r}") for variant in config.variant)
    return Comparison(variants, config.seeds, variants[0].config.seed)


def _variant(base: Document, common: Mapping[str, Any], variant: VariantConfig, where: str) -> Variant:
    document = with_keys(base, {**common, **variant.set}, where)
    config = validated(RunConfig, document, f"{where} is no valid run")
    return Variant(variant.name, variant.study, variant.expected, config)


def with_keys(document: Document, changes: Mapping[str, Any], where: str) -> Document:
    """The document with values set at dotted keys; tables on the way are made if they are missing."""
    changed = deepcopy(document)
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = changed
        for name in tables:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{where}: {key!r} leads through {name!r}, which is no table")
        table[last] = value
    return changed
