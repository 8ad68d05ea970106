"""The container's health check: exits 0 if the service in this container answers `/readyz` with 200."""

import http.client
import os
import sys
from collections.abc import Mapping

# Bound to every address, the service is reached by the loopback name, which stands for IPv4 and IPv6.
_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104


def is_ready(environ: Mapping[str, str], timeout_s: float = 3.0) -> bool:
    """Whether the service that these settings describe is ready."""
    host = environ.get("PAPERS_HOST", "127.0.0.1")
    port = int(environ.get("PAPERS_PORT", "8000"))
    # http.client, unlike urllib, ignores HTTP_PROXY, which Docker may pass to every container.
    connection = http.client.HTTPConnection("localhost" if host in _EVERY_ADDRESS else host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready(os.environ) else 1)
