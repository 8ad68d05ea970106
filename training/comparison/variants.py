"""A comparison: one run, and variants of it that change some of its keys."""

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from training.config import RunConfig, read_toml, validated
from training.errors import ConfigError

Document = dict[str, Any]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleConfig(_Section):
    """Numbers of papers to draw, seeded; absent: all."""

    train: int | None = Field(default=None, ge=1)
    validation: int | None = Field(default=None, ge=1)


class VariantConfig(_Section):
    """The name of a variant, the keys that it changes, and the result that others found."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$", max_length=60, description="also its folder")
    study: str = Field(default="", description="variants of one study share a plot, for instance a table of a paper")
    expected: str = Field(default="", description="what others found, with the source")
    set: dict[str, Any] = Field(default={}, description='"input.truncation" = "tail": keys of the run, with dots')
    unset: tuple[str, ...] = Field(default=(), description='"auxiliary": keys or whole tables of the run to leave out')


class ComparisonConfig(_Section):
    """A comparison's TOML file."""

    base: Path = Field(description="the run's TOML file, relative to this one")
    seeds: tuple[int, ...] = Field(min_length=1)
    sample: SampleConfig = SampleConfig()
    set: dict[str, Any] = Field(default={}, description="for all variants")
    unset: tuple[str, ...] = Field(default=(), description="for all variants")
    variant: tuple[VariantConfig, ...] = Field(min_length=1, description="the others are compared with the first")


@dataclass(frozen=True)
class Variant:
    """The configuration of a variant, complete except for the seed."""

    name: str
    study: str
    expected: str
    config: RunConfig

    def seeded(self, seed: int) -> RunConfig:
        """The configuration with a seed."""
        return self.config.model_copy(update={"seed": seed})


@dataclass(frozen=True)
class Comparison:
    """Variants of one run; all use the papers drawn with the run's own seed."""

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    data_seed: int

    @property
    def base(self) -> Variant:
        """The variant with which the others are compared."""
        return self.variants[0]

    def chosen(self, names: Collection[str]) -> tuple[Variant, ...]:
        """The first variant and those of these names, or all if there are none; ConfigError for an unknown name."""
        known = [variant.name for variant in self.variants]
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"there is no variant {name!r}; {hint}")
        return tuple(v for v in self.variants if not names or v is self.base or v.name in names)


def read_comparison(path: Path) -> Comparison:
    """Read a comparison and check every variant; ConfigError names the file, the variant and the key."""
    config = validated(ComparisonConfig, read_toml(path)[0], f"{path} is not a valid comparison")
    names = [variant.name for variant in config.variant]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{path}: two variants are named {twice[0]!r}; names must differ, because they name folders")
    base, _ = read_toml(path.parent / config.base)
    sizes = {"data.sample": config.sample.train, "data.validation_sample": config.sample.validation}
    sampled = {key: size for key, size in sizes.items() if size is not None}
    common = with_keys(base, config.unset, sampled | config.set, str(path))
    variants = tuple(_variant(common, variant, f"{path}, variant {variant.name!r}") for variant in config.variant)
    return Comparison(variants, config.seeds, variants[0].config.seed)


def _variant(common: Document, variant: VariantConfig, where: str) -> Variant:
    document = with_keys(common, variant.unset, variant.set, where)
    config = validated(RunConfig, document, f"{where} is not a valid run")
    return Variant(variant.name, variant.study, variant.expected, config)


def with_keys(document: Document, unset: Iterable[str], changes: Mapping[str, Any], where: str) -> Document:
    """A copy of the document with some keys removed and others changed; keys are dotted.

    Missing tables on the way to a new key are created. Raises ConfigError for a key to remove that does not exist.
    """
    changed = deepcopy(document)
    for key in unset:
        table, last = _at(changed, key, where)
        if last not in table:
            raise ConfigError(f"{where}: there is no {key!r} to remove")
        del table[last]
    for key, value in changes.items():
        table, last = _at(changed, key, where)
        table[last] = value
    return changed


def _at(document: Document, key: str, where: str) -> tuple[Document, str]:
    """The table that holds a dotted key, and the last part of the key."""
    *names, last = key.split(".")
    table = document
    for name in names:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {key!r} leads through {name!r}, which is not a table")
    return table, last
