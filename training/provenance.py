"""Records the inputs from which the files of a run were made, so that they are not used for other inputs.

A run's directory outlives its configuration: somebody fits, edits the TOML file and resumes. Without
a record the old network would be published with the new file as its origin.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from training.config import RunConfig
from training.data.corpus import Corpus
from training.errors import ConfigError

# Sections and keys that only publishing reads: they may be changed after the network has been fitted.
_READ_ON_PUBLISHING = frozenset(
    {
        "calibration", "exits.heads", "exits.micro_f1_loss", "gates", "golden", "golden_tolerance", "licence", "limits",
        "name", "ngrams", "publish", "quantization", "scope", "thresholds", "uncertain_share", "version",
    }
)  # fmt: skip
_READ_ON_PRETRAINING = frozenset({"encoder", "input", "pretrain", "seed"})
# Differences that the message names at most.
_NAMED = 3


class Inputs(BaseModel):
    """Everything that a fitted network depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, JsonValue]
    """Keys of the configuration, with dots, that are not at their default."""
    files: dict[str, str]
    """sha256 of data files, of teachers' scores, of weights that training continues from, and of a local encoder."""
    labels: tuple[str, ...]

    @classmethod
    def of(cls, config: RunConfig, corpus: Corpus) -> "Inputs":
        """The present inputs of the network of a run."""
        document = config.model_dump(mode="json", exclude_defaults=True)
        files = {name: str(facts["sha256"]) for name, facts in corpus.report.items()}
        return cls(settings=dict(_flat(document)), files=files | _digests(config), labels=corpus.labels)

    @classmethod
    def of_pretraining(cls, config: RunConfig, corpus: Corpus) -> "Inputs":
        """The present inputs of its further pre-trained encoder, the papers that it must not read included."""
        document = config.model_dump(mode="json", exclude_defaults=True, include=set(_READ_ON_PRETRAINING))
        whole = cls.of(config, corpus)
        keys, paths = {f"data.{key}" for key in unread_in_pretraining(config)}, _unread_files(config)
        data = {key: value for key, value in whole.settings.items() if key.startswith("data.") and key not in keys}
        files = {name: digest for name, digest in whole.files.items() if name.split("#")[0] not in paths}
        return cls(settings=dict(_flat(document)) | data, files=files, labels=())


def record(path: Path, inputs: Inputs) -> None:
    """Write the inputs beside what is made from them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(inputs.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def require_same(path: Path, inputs: Inputs) -> None:
    """Raise ConfigError, naming the changes, if the record has other inputs; without a record there is no check."""
    if not path.exists():
        return
    recorded = Inputs.model_validate_json(path.read_text(encoding="utf-8"))
    if changes := list(_changes(recorded, inputs)):
        more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        raise ConfigError(
            f"the files in {path.parent} were made from other inputs: {'; '.join(changes[:_NAMED])}{more}. Undo the "
            "changes, or fit again without --resume (under another version if the old network is to be kept)"
        )


def _changes(recorded: Inputs, now: Inputs) -> Iterator[str]:
    keys = recorded.settings.keys() | now.settings.keys()
    for key in sorted(key for key in keys if _READ_ON_PUBLISHING.isdisjoint({key, key.partition(".")[0]})):
        before, after = (inputs.settings.get(key, "not set") for inputs in (recorded, now))
        if before != after:
            yield f"{key} was {_shortened(before)}, now {_shortened(after)}"
    for name in sorted(recorded.files.keys() | now.files.keys()):
        if recorded.files.get(name) != now.files.get(name):
            yield f"the content of {name} has changed"
    if recorded.labels != now.labels:
        yield f"labels were {', '.join(recorded.labels)}, now {', '.join(now.labels)}"


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _digests(config: RunConfig) -> dict[str, str]:
    files = [*(config.teacher.scores if config.teacher else ()), *_encoder_files(config)]
    files += [config.fit.continue_from] if config.fit.continue_from else []
    files += [file.path for file in config.pretrain.texts] if config.pretrain else []
    return {str(path): _sha256(path) for path in files if path.is_file()}


def unread_in_pretraining(config: RunConfig) -> frozenset[str]:
    """Keys of [data] that further pre-training does not depend on: with texts, those of the training papers.

    Their files count where validation papers, which must not be read, are split off them.
    """
    if config.pretrain is None or not config.pretrain.texts:
        return frozenset()
    return frozenset({"sample", "share"} | ({"train"} if config.data.validation else set()))


def _unread_files(config: RunConfig) -> set[str]:
    """Training files that further pre-training does not depend on."""
    if config.pretrain is None or "train" not in unread_in_pretraining(config):
        return set()
    data = config.data
    read = {data.validation, data.test, *data.held_out, *(file.path for file in config.pretrain.texts)}
    return {str(source.path) for source in data.train if source.path not in read}


def _encoder_files(config: RunConfig) -> list[Path]:
    folder = Path(config.encoder.source)
    return [folder / name for name in ("config.json", "tokenizer.json", "model.safetensors")] if folder.is_dir() else []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
