"""`python -m tests.app.silent_service`: the real service, which ends at once if it connects to anything."""

import os
import sys

from app.__main__ import main

_REACHING_OUT = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event in _REACHING_OUT and "127.0.0.1" not in arguments[:1]:
        sys.stderr.write(f"reached out: {event} {arguments}\n")
        os._exit(99)


if __name__ == "__main__":
    sys.addaudithook(_forbid)
    sys.exit(main())
