"""`python -m app`: the service with settings from the environment. Knows exit codes and standard error."""

import logging
import os
import sys

from app import logs
from app.main import create_app
from app.server import serve
from app.settings import Settings, SettingsError
from model_store.errors import ModelStoreError


def main() -> int:
    """Run until a signal; 2 for unusable settings, 1 for an unusable artefact, 0 after a drained exit."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    # The tokenizer would start a pool as large as the host; requests side by side are parallel enough.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app = create_app(settings)
    except (ModelStoreError, SettingsError) as error:
        logs.event(logging.CRITICAL, f"cannot start: {error}")
        return 1
    serve(app, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
