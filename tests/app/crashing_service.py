"""`python -m tests.app.crashing_service`: the real service in several processes, each of which SIGUSR1 ends with 7.

With PAPERS_MODEL=defect they fail at the start by an exception that quotes a text.
"""

import os
import signal
import sys

from fastapi import FastAPI

from app.main import create_app
from app.server.processes import Processes
from app.settings import Settings


def create_crashing_app(settings: Settings) -> FastAPI:
    if settings.model == "defect":
        raise RuntimeError("a submitted text")
    signal.signal(signal.SIGUSR1, lambda number, frame: os._exit(7))
    return create_app(settings)


if __name__ == "__main__":
    sys.exit(Processes(Settings.read(os.environ), create_crashing_app).run())
