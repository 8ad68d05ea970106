"""onnxruntime, imported so that nothing but our own log lines reaches standard error."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Errors reach us as exceptions, with the same text.
_FATAL = 4


@contextmanager
def without_standard_error() -> Iterator[None]:
    """Send what native code writes to file descriptor 2 to nowhere."""
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
    # It looks for graphics processors while it is imported and warns of what it cannot read, before it can be told
    # not to: https://github.com/microsoft/onnxruntime/issues/27092
    with without_standard_error():
        module = importlib.import_module("onnxruntime")
    module.set_default_logger_severity(_FATAL)
    return module


onnxruntime = _silently_imported()
