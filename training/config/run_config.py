"""The configuration of a whole run: one TOML file, read once."""

from pathlib import Path

from pydantic import Field, model_validator

from model_store.papers import InputFormat
from training.config.data_config import AuxiliaryConfig, DataConfig
from training.config.fit_config import FitConfig, LossConfig, PretrainConfig, TeacherConfig
from training.config.network_config import EncoderConfig, ExitsConfig, FeaturesConfig, HeadConfig
from training.config.ngrams_config import NgramsConfig
from training.config.publish_config import (
    ArtefactConfig,
    CalibrationConfig,
    Gates,
    GoldenPaper,
    QuantizationConfig,
    ScopeConfig,
    ThresholdsConfig,
)
from training.config.toml_document import Section, read_toml, validated


class PublishConfig(Section):
    """The configuration of publishing, for a network that was fitted here or imported."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")
    licence: str
    limits: tuple[str, ...] = Field(default=())
    seed: int = Field(ge=0, lt=2**32)
    encoder: EncoderConfig
    input: InputFormat
    quantization: QuantizationConfig = QuantizationConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    thresholds: ThresholdsConfig = ThresholdsConfig()
    scope: ScopeConfig | None = None
    gates: Gates = Gates()
    golden: tuple[GoldenPaper, ...] = Field(min_length=1)
    golden_tolerance: float = Field(
        default=0.02, gt=0, lt=1, description="largest difference of a score; processors round fp32 differently"
    )
    uncertain_share: float = Field(default=0.15, gt=0, lt=1, description="of validation papers marked uncertain")


class RunConfig(PublishConfig):
    """Everything that a run is configured by."""

    features: FeaturesConfig = FeaturesConfig()
    head: HeadConfig = HeadConfig()
    data: DataConfig
    auxiliary: AuxiliaryConfig | None = None
    ngrams: NgramsConfig | None = None
    exits: ExitsConfig | None = None
    pretrain: PretrainConfig | None = None
    teacher: TeacherConfig | None = None
    loss: LossConfig = LossConfig()
    fit: FitConfig = FitConfig()
    publish: tuple[ArtefactConfig, ...] = Field(default=(), description="further artefacts of the same network")

    @model_validator(mode="after")
    def _further_artefacts_can_be_made(self) -> "RunConfig":
        versions = {(self.name, self.version)}
        exits = self.exits.layers if self.exits else ()
        for wanted in self.publish:
            version = (wanted.name, wanted.version)
            if version in versions:
                raise ValueError(f"{wanted.name} {wanted.version} would be published twice; raise one of the versions")
            versions.add(version)
            if wanted.cut_after is not None and wanted.cut_after not in exits:
                there = ", ".join(map(str, exits)) or "none"
                raise ValueError(f"cut_after is {wanted.cut_after}; expected one of the layers in [exits]: {there}")
            if wanted.max_tokens is not None and wanted.max_tokens > self.input.max_tokens:
                raise ValueError(
                    f"max_tokens of {wanted.name} is {wanted.max_tokens}; expected at most the {self.input.max_tokens} "
                    "of [input]"
                )
            if wanted.labels == "categories" and (self.auxiliary is None or wanted.validation is None):
                raise ValueError(
                    f'{wanted.name} has `labels = "categories"`: it needs the head that [auxiliary] trains, and '
                    "`validation`, a file of papers with categories that the run does not train on"
                )
        return self

    @model_validator(mode="after")
    def _ngrams_can_be_fitted(self) -> "RunConfig":
        if self.ngrams and self.auxiliary is None:
            raise ValueError("[ngrams] learns the categories of [auxiliary]; add that section, or leave [ngrams] out")
        if self.ngrams and self.input.chunks is not None:
            raise ValueError("[ngrams] reads a paper as a whole; leave out either `chunks` in [input] or [ngrams]")
        return self

    @property
    def training_input(self) -> InputFormat:
        """The layout of a paper while training: as in serving, with a length of its own."""
        return self.input.model_copy(update={"max_tokens": self.fit.max_tokens})

    def cut_to(self, max_tokens: int) -> InputFormat:
        """The layout of a paper with another length, without chunks."""
        return self.input.model_copy(update={"max_tokens": max_tokens, "chunks": None})


def read_config(path: Path) -> tuple[RunConfig, str]:
    """The configuration and its text, verbatim, for the manifest.

    Raises ConfigError naming the file, the key and what was expected.
    """
    document, text = read_toml(path)
    return validated(RunConfig, document, f"{path} is not a valid run"), text
