"""Errors of a run; each message says what was found, what was expected and what to do.

TrainingError
├── ConfigError     the TOML file
├── DataError       a data file: names file, row and column
└── GateError       the quantized graph is not good enough to publish
"""


class TrainingError(Exception):
    """Base class of the errors that this package raises."""


class ConfigError(TrainingError):
    """The configuration is invalid, or describes a run that cannot be made."""


class DataError(TrainingError):
    """A data file has unexpected content; the message names file, row and column."""


class GateError(TrainingError):
    """A measured figure is outside its gate; nothing was published."""
