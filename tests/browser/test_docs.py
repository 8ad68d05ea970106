"""The documentation in a browser: it works offline, and its examples run as they stand."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit


@pytest.mark.parametrize("path", ["/classify", "/classify/batch", "/explain"])
def test_an_example_runs_as_it_stands(visit: Visit, path: str) -> None:
    visitor = visit("/docs")
    operation = visitor.page.locator(".opblock", has=visitor.page.locator(f'[data-path="{path}"]'))
    operation.locator(".opblock-summary").click()
    with visitor.page.expect_response(visitor.url + path) as answer:
        operation.get_by_role("button", name="Execute").click()
    assert answer.value.status == 200
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert [url for _, url in visitor.asked if not url.startswith((f"{visitor.url}/", "data:"))] == []
