"""Checkpoints from which an interrupted training loop continues."""

import json
import logging
import shutil
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

_LOG = logging.getLogger("training")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete `checkpoint-STEP` below `folder`; None if there is none, or no such folder.

    Younger ones are removed: writing them was interrupted, so training cannot continue from them.
    """
    found = [path for path in folder.glob("checkpoint-*") if _step(path).isdigit()]
    for path in sorted(found, key=lambda path: int(_step(path)), reverse=True):
        if _is_complete(path):
            return path
        _LOG.info("%s is incomplete and is removed", path)
        shutil.rmtree(path, ignore_errors=True)  # another process of the group may remove it, too
    return None


def _step(path: Path) -> str:
    return path.name.rpartition("-")[2]


def _is_complete(checkpoint: Path) -> bool:
    # transformers writes this file last.
    try:
        json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
