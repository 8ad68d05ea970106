"""Everything around classification: documentation, model card, health, metrics, headers."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.labels import UncertainRule
from model_store.store import Store
from tests import builders


def test_the_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert "http" not in page.text.replace("http-equiv", "")
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(urljoin("/docs", path)).status_code == 200, path


def test_no_script_stands_within_a_page_and_the_policy_forbids_it(client: TestClient) -> None:
    page = client.get("/docs")
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []
    assert "script-src 'self';" in page.headers["content-security-policy"]


def test_only_the_known_files_of_the_docs_are_served(client: TestClient) -> None:
    for name in ("index.html", "..%2f__init__.py", "swagger-ui.js.map"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_the_card_tells_thresholds_and_quality_of_every_label(client: TestClient, store: Store) -> None:
    card = client.get("/model").json()
    assert [label["id"] for label in card["labels"]] == ["computer-science", "physics", "mathematics"]
    assert (
        card["labels"][1] | {"threshold": 0.4, "support": 10, "f1": 0.9, "f1_interval": [0.8, 1.0]} == card["labels"][1]
    )
    assert (card["sha256"], card["base_encoder"], card["version"]) == (store.open().sha256, "none", "1.0.0")


def test_an_unchanged_card_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/model").headers["etag"]
    again = client.get("/model", headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/model", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/card", "/web/page.js", "/docs/swagger-ui.css"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unchanged_file_is_not_sent_again(client: TestClient, method: str, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.request(method, path, headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    # A browser replaces the headers that it has stored by those of this answer.
    for name in ("content-security-policy", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert client.get(path, headers={"if-none-match": '"other"'}).content == first.content


def test_a_fresh_service_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "live"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_a_harmless_request_id_is_taken_over_and_any_other_replaced(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "batch-7/3"}).headers["x-request-id"] == "batch-7/3"
    for given in ("", "two words", "x" * 129, "a;b", 'quo"te'):
        made = client.get("/livez", headers={"x-request-id": given}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path in ("/livez", "/nowhere", "/docs", "/metrics"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert client.post("/classify", json={"title": "star"}).headers["cache-control"] == "no-store"


def test_no_origin_is_allowed_by_default(client: TestClient) -> None:
    assert "access-control-allow-origin" not in client.get("/livez", headers={"origin": "https://example.org"}).headers


def test_the_card_says_what_is_out_of_scope(client: TestClient) -> None:
    card = client.get("/model").json()
    assert card["scope"]["threshold"] == 0.7
    assert card["calibration"]["method"] == "none"
    assert card["aim"]["aim"] == "f1"


def test_the_card_has_titles_parents_uris_and_figures_on_test_papers_where_the_manifest_has_them(
    tmp_path: Path,
) -> None:
    plain = builders.manifest()
    first = plain.labels[0].model_copy(
        update={"title": "Computing", "parent": "Science", "uri": "https://example.org/computing", "few_papers": True}
    )
    test = builders.figures(plain).model_copy(update={"micro_f1": 0.87})
    store = builders.publish(tmp_path, labels=(first, *plain.labels[1:]), test=test)
    with TestClient(create_app(Settings(artefacts=store.root))) as client:
        card = client.get("/model").json()
    described = {name: card["labels"][0][name] for name in ("title", "parent", "uri", "few_papers")}
    assert described == {
        "title": "Computing", "parent": "Science", "uri": "https://example.org/computing", "few_papers": True,
    }  # fmt: skip
    assert "title" not in card["labels"][1]
    assert (card["quality"]["micro_f1"], card["test"]["micro_f1"]) == (builders.figures(plain).micro_f1, 0.87)
    assert card["labels"][1]["test"]["f1"] == card["labels"][1]["f1"]


def test_the_card_of_an_artefact_that_was_never_measured_has_no_figures(tmp_path: Path) -> None:
    unmeasured = builders.manifest().quantization.model_copy(update={"micro_f1_fp32": None})
    store = builders.publish(tmp_path, quality=None, uncertain=UncertainRule(margin=0.8), quantization=unmeasured)
    with TestClient(create_app(Settings(artefacts=store.root))) as client:
        card = client.get("/model").json()
        result = client.post("/classify", json={"title": "star"}).json()
    assert "quality" not in card
    assert "f1" not in card["labels"][0]
    assert result["labels"] == ["Physics"]


def test_the_card_and_results_name_the_exits(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish(builders.manifest(exits=builders.exits(0.5)), {**builders.files(), **builders.parts()})
    with TestClient(create_app(Settings(artefacts=store.root))) as client:
        card = client.get("/model").json()
        layer = client.post("/classify", json={"title": "star"}).json()["input"]["layer"]
    assert [exit_["layer"] for exit_ in card["exits"]] == [exit_.layer for exit_ in builders.exits(0.5)]
    assert layer in [exit_["layer"] for exit_ in card["exits"]]
