"""A browser and a service with the tiny artefact; skipped where there is no browser."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import builders
from tests.app.running import Running, running
from tests.browser.visitor import Visitor

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

Visit = Callable[..., Visitor]


# No longer than this folder: while it runs, this thread has an event loop, and other tests start their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"needs a browser, none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    store = builders.publish(folder / "artefacts")
    with running(folder, artefacts=store.root, threads=1, max_papers=4) as service:
        yield service


@pytest.fixture
def visit(browser: Browser, service: Running) -> Iterator[Visit]:
    """Opens a path of the service in a new browser context; any error in the page fails the test."""
    visitors: list[Visitor] = []

    def open_page(path: str = "/", url: str = service.url, **options: object) -> Visitor:
        visitors.append(Visitor(browser, url, **options))
        visitors[-1].go(path)
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.close()
    assert [fault for visitor in visitors for fault in visitor.page_errors] == []
