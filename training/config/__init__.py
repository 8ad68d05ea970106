"""The configuration of a run: sections of a TOML file, immutable, unknown keys refused."""

from training.config.data_config import AuxiliaryConfig, DataConfig, Source, TextFile
from training.config.fit_config import FitConfig, LossConfig, Precision, PretrainConfig, TeacherConfig
from training.config.network_config import EncoderConfig, ExitsConfig, FeaturesConfig, HeadConfig
from training.config.ngrams_config import NgramsConfig
from training.config.publish_config import (
    METHODS,
    ArtefactConfig,
    CalibrationConfig,
    Gates,
    GoldenPaper,
    Method,
    QuantizationConfig,
    ScopeConfig,
    ThresholdsConfig,
)
from training.config.run_config import PublishConfig, RunConfig, read_config
from training.config.toml_document import read_toml, validated

__all__ = [
    "METHODS",
    "ArtefactConfig",
    "AuxiliaryConfig",
    "CalibrationConfig",
    "DataConfig",
    "EncoderConfig",
    "ExitsConfig",
    "FeaturesConfig",
    "FitConfig",
    "Gates",
    "GoldenPaper",
    "HeadConfig",
    "LossConfig",
    "Method",
    "NgramsConfig",
    "Precision",
    "PretrainConfig",
    "PublishConfig",
    "QuantizationConfig",
    "RunConfig",
    "ScopeConfig",
    "Source",
    "TeacherConfig",
    "TextFile",
    "ThresholdsConfig",
    "read_config",
    "read_toml",
    "validated",
]
