"""The files of the page as they are served; tests/browser tests what they do."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store
from tests.app.running import ROOT

WEB = ROOT / "app/web"
FILES = sorted(path.name for path in WEB.iterdir() if path.suffix != ".html")


@pytest.mark.parametrize("path", ["/", "/card", "/problems/queue_full"])
def test_a_page_holds_no_script_and_no_style_and_its_policy_forbids_them(client: TestClient, path: str) -> None:
    page = client.get(path, headers={"accept": "text/html"})
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", page.text) == []
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "set-cookie" not in page.headers
    links = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert links
    for link in links:
        assert client.get(urljoin(path, link)).status_code == 200, link


def test_the_pages_policy_allows_nothing_inline(client: TestClient) -> None:
    for path in ("/", "/card", "/problems/queue_full"):
        page = client.get(path, headers={"accept": "text/html"})
        assert "unsafe" not in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_type(client: TestClient, name: str) -> None:
    answer = client.get(f"/web/{name}")
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(types[Path(name).suffix])
    assert answer.content == (WEB / name).read_bytes()


@pytest.mark.parametrize(
    "name", ["index.html", "..%2fpage.py", "%2e%2e%2fpage.py", "nothing.js", ".js", "..%2f..%2fx.js", "a" * 400 + ".js"]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/web/{name}").status_code == 404


def test_modules_import_only_files_that_are_there() -> None:
    for path in WEB.glob("*.js"):
        for target in re.findall(r'from "([^"]+)"', path.read_text()):
            assert target.startswith("./"), (path.name, target)
            assert (WEB / target).is_file(), (path.name, target)


def test_nothing_names_another_host() -> None:
    namespace = "http://www.w3.org/2000/svg"
    for path in WEB.iterdir():
        assert "http" not in path.read_text().replace(namespace, "").replace("http-equiv", ""), path.name


def test_the_pages_open_without_a_key(store: Store) -> None:
    keys = store.root.parent / "keys"
    keys.write_text(f"reader:{hashlib.sha256(b'key').hexdigest()}\n")
    with TestClient(create_app(Settings(artefacts=store.root, api_key_file=keys))) as client:
        assert [client.get(path).status_code for path in ("/", "/card", "/web/page.js")] == [200, 200, 200]
        assert client.get("/model").status_code == 401
        assert client.post("/explain", json={"title": "star"}).status_code == 401


@pytest.mark.parametrize("wanted", ["bytes=0-3", "bytes=abc", "bytes=999999999-", "bytes=" + "0-1," * 100])
def test_files_are_sent_whole_whatever_range_is_wanted(client: TestClient, wanted: str) -> None:
    answer = client.get("/web/style.css", headers={"range": wanted})
    assert (answer.status_code, answer.content) == (200, (WEB / "style.css").read_bytes())
