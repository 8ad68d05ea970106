"""onnxruntime, imported so that nothing but our own log lines reaches standard error."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Errors are raised as exceptions with the same text.
_FATAL = 4


@contextmanager
def without_standard_error() -> Iterator[None]:
    """Discard what native code writes to file descriptor 2."""
    try:
        saved = os.dup(2)
    except OSError:
        # Standard error is closed.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)


def _silently_imported() -> Any:
    # While it is imported, it looks for graphics processors and warns about files that it cannot read, before its
    # log level can be set: https://github.com/microsoft/onnxruntime/issues/27092
    with without_standard_error():
        module = importlib.import_module("onnxruntime")
    module.set_default_logger_severity(_FATAL)
    return module


onnxruntime = _silently_imported()
