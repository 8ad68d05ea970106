"""A page in a browser as the tests use it, found by its labels and ids; collects its errors and requests."""

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, expect

# Long enough for a busy machine.
TIMEOUT_MS = 30_000


class Visitor:
    """A page in a browser context of its own."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self._context = browser.new_context(**options)
        self.page = self._context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        expect.set_options(timeout=TIMEOUT_MS)
        self.page_errors: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.page.on("request", lambda request: self.requests.append((request.method, request.url)))
        self.page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.page.on("console", self._listen)

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def write(self, title: str = "", abstract: str = "") -> None:
        self.page.get_by_label("Title", exact=True).fill(title)
        self.page.get_by_role("textbox", name="Abstract").fill(abstract)

    def expect_decision(self, decision: str) -> None:
        """Wait until the decision is this text."""
        expect(self.page.locator("#decision")).to_have_text(decision)

    def bar(self, label: str) -> Locator:
        return self.page.locator("#bars tbody tr", has_text=label)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def request_count(self, path: str) -> int:
        """How often the page has requested this path."""
        return sum(urlsplit(url).path == path for _, url in self.requests)

    def close(self) -> None:
        self._context.close()

    def _listen(self, message: ConsoleMessage) -> None:
        # The browser itself reports each refusal of a request; how the page bears it is what tests look at.
        if message.type in ("error", "warning") and not re.match("Failed to load resource", message.text):
            self.page_errors.append(message.text)
