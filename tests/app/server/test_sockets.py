"""The sockets the service listens on: every family of an address, one port, bounds that connections inherit."""

import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest

from app.server.sockets import bind, connections_for_open_files, url


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextlib.contextmanager
def listening(host: str) -> Iterator[list[socket.socket]]:
    sockets = bind(host, 0, write_timeout_s=3)
    try:
        for each in sockets:
            each.listen()
        yield sockets
    finally:
        for each in sockets:
            each.close()


@needs_ipv6
def test_the_ipv6_wildcard_accepts_both_families() -> None:
    with listening("::") as sockets:
        port = sockets[0].getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port), timeout=5).close()
        assert [url(each) for each in sockets] == [f"http://[::]:{port}"]


def test_a_name_with_several_addresses_gets_one_port() -> None:
    with listening("localhost") as sockets:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        assert len(sockets) == len({each.getsockname()[0] for each in sockets})


def test_an_address_is_one_socket_and_a_url() -> None:
    with listening("127.0.0.1") as sockets:
        assert [url(each) for each in sockets] == [f"http://127.0.0.1:{sockets[0].getsockname()[1]}"]


def test_a_taken_port_and_a_foreign_address_are_errors() -> None:
    with listening("127.0.0.1") as sockets, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", sockets[0].getsockname()[1], write_timeout_s=3)
    with pytest.raises(OSError, match="assign"):
        bind("192.0.2.1", 0, write_timeout_s=3)


@pytest.mark.parametrize("host", ["papers..example", "a" * 64, ""])
def test_what_is_no_host_name_is_an_error_like_any_other(host: str) -> None:
    with pytest.raises(OSError, match=r"no host name|not known"):
        bind(host, 0, write_timeout_s=3)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="an option of Linux")
def test_connections_inherit_the_bounds_of_unsent_data() -> None:
    with (
        listening("127.0.0.1") as (listener,),
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3000
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024


def test_connections_leave_room_below_the_limit_of_open_files() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections_for_open_files(10, open_files=20) == 10
    if soft != resource.RLIM_INFINITY:
        assert connections_for_open_files(soft, open_files=20) == soft - 36
        assert connections_for_open_files(soft, open_files=soft) == 1
