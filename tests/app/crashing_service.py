"""`python -m tests.app.crashing_service`: the real service in several processes, each of which SIGUSR1 ends with 7."""

import os
import signal
import sys

from fastapi import FastAPI

from app.main import create_app
from app.server.processes import Processes
from app.settings import Settings


def create_crashing_app(settings: Settings) -> FastAPI:
    signal.signal(signal.SIGUSR1, lambda number, frame: os._exit(7))
    return create_app(settings)


if __name__ == "__main__":
    sys.exit(Processes(Settings.read(os.environ), create_crashing_app).run())
