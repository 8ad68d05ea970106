"""The documentation in a browser: it loads nothing from elsewhere, and its examples can be executed."""

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_the_documented_examples_succeed_when_executed(visit: Visit) -> None:
    visitor = visit("/docs")
    for path in ("/classify", "/classify/batch", "/explain"):
        operation = visitor.page.locator(".opblock", has=visitor.page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary").click()
        with visitor.page.expect_response(visitor.url + path) as answer:
            operation.get_by_role("button", name="Execute").click()
        assert answer.value.status == 200
        expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert [url for _, url in visitor.requests if not url.startswith((f"{visitor.url}/", "data:"))] == []
