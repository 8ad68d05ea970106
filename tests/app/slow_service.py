"""`python -m tests.app.slow_service SECONDS`: the real service, in which each paper takes so many seconds."""

import os
import sys

from app.main import create_app
from app.observability import logs
from app.server.server import serve
from app.server.sockets import bind
from app.settings import Settings
from model_store.store import Store
from tests.app.doubles import slow

if __name__ == "__main__":
    settings = Settings.read(os.environ)
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    store = Store(settings.artefacts)
    sockets = bind(settings.host, settings.port, settings.write_timeout_s)
    serve(create_app(settings, slow(store, float(sys.argv[1]))), settings, sockets)
