"""`python -m app`: the service with settings from the environment."""

import os
import signal
import sys


def main() -> int:
    """Run until a signal; 2 for unusable settings, 1 for an unusable artefact or address, 0 after a drained exit."""
    # SIGHUP means reload. Until the server can handle it, it must not end the process by its default action, so it
    # is held before the imports, which take a second.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from app.main import create_app
    from app.server.processes import Processes, run
    from app.settings import Settings, SettingsError

    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run(settings, create_app) if settings.processes == 1 else Processes(settings, create_app).run()


if __name__ == "__main__":
    sys.exit(main())
