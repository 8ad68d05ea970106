"""The service opens no connections of its own: it has one listening socket and nothing else."""

import re
import signal
from pathlib import Path

from model_store.store import Store
from tests import builders
from tests.app.running import Running, running

_LISTENING = "0A"


def inodes(service: Running) -> set[str]:
    links = [str(link.readlink()) for link in Path(f"/proc/{service.process.pid}/fd").iterdir()]
    return {match.group(1) for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}


def internet_sockets(service: Running) -> list[tuple[int, str]]:
    """Local port and state of every TCP or UDP socket of the process."""
    own, found = inodes(service), []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/{service.process.pid}/net/{table}")
        rows = path.read_text().splitlines()[1:] if path.exists() else []
        fields = [row.split() for row in rows]
        found += [(int(row[1].rpartition(":")[2], 16), row[3]) for row in fields if row[9] in own]
    return found


def test_the_only_socket_is_the_listening_one(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, "tests.app.silent_service", artefacts=store.root) as service:
        with service.client() as client:
            for path in ("/readyz", "/model", "/docs", "/metrics", "/openapi.json"):
                assert client.get(path).status_code == 200
            assert client.post("/classify", json={"title": "star"}).status_code == 200
            builders.publish(store.root, "1.1.0")
            service.signal(signal.SIGHUP)
            sockets = internet_sockets(service)
        assert {port for port, _ in sockets} == {service.port}
        assert [state for _, state in sockets].count(_LISTENING) == 1
        service.signal(signal.SIGTERM)
        assert service.process.wait(10) == 0
