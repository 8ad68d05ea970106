"""`python -m app`: the service with settings from the environment. Knows exit codes and standard error."""

import os
import sys

from app.server.processes import Processes, run
from app.settings import Settings, SettingsError


def main() -> int:
    """Run until a signal; 2 for unusable settings, 1 for an unusable artefact, 0 after a drained exit."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run(settings) if settings.processes == 1 else Processes(settings).run()


if __name__ == "__main__":
    sys.exit(main())
