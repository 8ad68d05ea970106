"""What can be wrong with a run, told so that its reader can mend it.

TrainingError
├── ConfigError     the TOML file
├── DataError       a data file: names file, row and column
└── GateError       the quantized graph is not good enough to publish
"""


class TrainingError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(TrainingError):
    """The configuration is not one a run can follow."""


class DataError(TrainingError):
    """A data file is not what was promised; names file, row and column."""


class GateError(TrainingError):
    """A measured figure misses its gate; nothing was published."""
