"""`python -m app`: the service with settings from the environment."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from model_store.processor import missing_features, sentence_for_old_processor


def main(missing: Sequence[str] | None = None) -> int:
    """Run until a signal and return the exit status.

    It is 2 for unusable settings or an old processor, 1 for an unusable artefact or address, 0 after
    a drained exit. `missing` are the features that the processor lacks, by default as the system reports them.
    """
    if missing := missing_features() if missing is None else list(missing):
        # Checked before numpy is imported, which would end in a traceback.
        sys.stderr.write(f"{sentence_for_old_processor(missing)}\n")
        return 2
    # SIGHUP means reload. Until the server can handle it, it must not end the process by its default action, so it
    # is blocked before the imports, which take a second.
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
    # Takes no arguments, so that an option which would have no effect is refused.
    argparse.ArgumentParser(
        prog="python -m app",
        description="Start the service and run until a signal.",
        epilog="Settings are environment variables such as PAPERS_PORT, see docs/operations.md. "
        "`papers serve` takes some of them as options.",
    ).parse_args()
    sys.exit(main())
