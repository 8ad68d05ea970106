"""API keys: what a key gives access to, and that the keys stay secret."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.keys import ApiKeys
from app.main import create_app
from app.settings import Settings, SettingsError
from model_store.store import Store

KEYS = {"library": "k-first", "pipeline": "k-second"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("".join(f"{name}:{hashlib.sha256(key.encode()).hexdigest()}\n" for name, key in KEYS.items()))
    return path


@pytest.fixture
def client(store: Store, key_file: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(artefacts=store.root, api_key_file=key_file))) as client:
        yield client


@pytest.mark.parametrize("key", KEYS.values())
def test_each_key_of_the_file_gives_access(client: TestClient, key: str) -> None:
    assert client.get("/model", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert client.get("/model", headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"x-api-key": "k-third"}, {"authorization": "Basic k-first"}, {"x-api-key": ""}]
)
def test_without_a_known_key_everything_but_docs_and_health_is_a_401(
    client: TestClient, headers: dict[str, str]
) -> None:
    for method, path in (("POST", "/classify"), ("GET", "/model"), ("POST", "/admin/reload"), ("GET", "/nowhere")):
        answer = client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/docs", "/openapi.json", "/problems/unauthorized", "/livez", "/readyz", "/metrics"):
        assert client.get(path, headers=headers).status_code == 200


def test_metrics_are_closed_by_setting_and_probes_stay_open(store: Store, key_file: Path) -> None:
    """Probes carry no key; a container whose health check got a 401 would be restarted for ever."""
    settings = Settings(artefacts=store.root, api_key_file=key_file, open_health=False)
    with TestClient(create_app(settings)) as client:
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 401]
        assert client.get("/metrics", headers={"x-api-key": "k-first"}).status_code == 200


def test_a_key_has_the_name_on_its_line(key_file: Path) -> None:
    keys = ApiKeys(key_file)
    assert [keys.name_of(key) for key in (*KEYS.values(), "k-third", "")] == ["library", "pipeline", None, None]


FIRST, SECOND = (hashlib.sha256(key.encode()).hexdigest() for key in KEYS.values())
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        "", "# nothing\n", "library:k-first\n", "library:" + "A" * 64, "two words:" + "0" * 64,
        f"library:{FIRST}:admin\n", f"library:{EMPTY}\n", f"library:{FIRST}\nempty:{EMPTY}:reload\n",
        f"library:{FIRST}\nlibrary:{SECOND}\n", f"library:{FIRST}\npipeline:{FIRST}\n",
    ],
)  # fmt: skip
def test_an_unusable_file_is_refused_without_quoting_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(SettingsError) as refusal:
        ApiKeys(path)
    assert str(path) in str(refusal.value)
    assert "k-first" not in str(refusal.value)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"library:{FIRST}\r\n", encoding="utf-8-sig")
    assert ApiKeys(path).name_of("k-first") == "library"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        ApiKeys(tmp_path / "nowhere")


def test_only_a_key_marked_for_it_may_reload(store: Store, key_file: Path) -> None:
    key_file.write_text(f"library:{FIRST}\npipeline:{SECOND}:reload\n")
    with TestClient(create_app(Settings(artefacts=store.root, api_key_file=key_file))) as client:
        refused = client.post("/admin/reload", headers={"x-api-key": "k-first"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert client.post("/admin/reload", headers={"x-api-key": "k-second"}).json()["outcome"] == "unchanged"
        # A removed mark counts from the next reload on.
        key_file.write_text(f"library:{FIRST}\npipeline:{SECOND}\n")
        assert client.post("/admin/reload", headers={"x-api-key": "k-second"}).status_code == 200
        assert client.post("/admin/reload", headers={"x-api-key": "k-second"}).status_code == 403


def test_a_header_without_a_key_never_matches(store: Store, key_file: Path) -> None:
    for presented in ("", " ", "\t"):
        assert ApiKeys(key_file).name_of(presented) is None
