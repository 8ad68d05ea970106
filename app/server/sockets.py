"""The sockets that the service listens on."""

import resource
import socket

# Unsent bytes of one connection that the kernel holds at most. Without this bound, Linux buffers up to 4 MB for a
# client that does not read, where no time-out of ours sees them.
_UNSENT_BYTES = 128 * 1024
# Files that are not connections, beside those that are open at the start: a reload, a log, a scrape of metrics.
_RESERVED_FILES = 16


def bind(host: str, port: int, write_timeout_s: float) -> list[socket.socket]:
    """One socket for each address of `host`, all on one port; `::` accepts IPv4, too. Raises OSError.

    Bound here and not by uvicorn, which lets `::` accept IPv4 with several processes but not with one.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        # Raised where a part between two points is empty or longer than 63 characters.
        raise OSError("this is no host name") from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(_bind_one(family, (address[0], port, *address[2:]), write_timeout_s))
            port = sockets[0].getsockname()[1]  # where the system chose one, the same for all
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def url(listening: socket.socket) -> str:
    """The address as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if listening.family == socket.AF_INET6 else f"http://{host}:{port}"


def connections_for_open_files(wanted: int, open_files: int) -> int:
    """How many of the wanted connections the limit of open files (`ulimit -n`) leaves room for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, limit - open_files - _RESERVED_FILES))


def _bind_one(family: int, address: tuple[object, ...], write_timeout_s: float) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # With several addresses there is a socket of its own for IPv4.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        _limit_unsent(bound, write_timeout_s)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _limit_unsent(bound: socket.socket, write_timeout_s: float) -> None:
    """Set options that accepted connections inherit. Linux has both, macOS only the second."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # The kernel closes a connection whose peer acknowledges nothing, or keeps its window closed, for this long.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(write_timeout_s * 1000))
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
