"""The page in a browser: typing, examples, evidence, links, keys, and a busy service."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests import builders
from tests.app.running import Running, running
from tests.browser.conftest import Visit
from tests.browser.prefix import below_a_path

UNCERTAIN = "No subject A person should check"


def test_typing_updates_the_bars_and_the_decision(visit: Visit) -> None:
    visitor = visit()
    visitor.write("quantum quantum quantum star", "A particle.")
    visitor.expect_decision("Physics")
    expect(visitor.bar("Physics")).to_have_class("chosen")
    expect(visitor.bar("Physics").locator("td").last).to_have_text("0.40")
    expect(visitor.bar("Computer Science")).not_to_have_class("chosen")
    visitor.write("the and of")
    visitor.expect_decision(UNCERTAIN)
    expect(visitor.page.locator("#notes")).to_contain_text("No subject meets its threshold; the nearest is")
    visitor.write()
    visitor.expect_decision("Enter a title or an abstract.")


def test_a_truncated_text_is_reported(visit: Visit) -> None:
    visitor = visit()
    visitor.write("star and of the a b the", "we " * 50)
    expect(visitor.page.locator("#notes")).to_contain_text("the model read 29 of 57 word pieces")


def test_typing_letter_by_letter_sends_few_requests(visit: Visit) -> None:
    visitor = visit()
    visitor.page.get_by_label("Title", exact=True).press_sequentially("quantum star particle plasma", delay=15)
    visitor.expect_decision("Physics")
    assert visitor.request_count("/classify") <= 3


def test_every_example_is_classified(visit: Visit) -> None:
    visitor = visit()
    examples = visitor.page.locator("#examples button")
    expect(examples.nth(6)).to_be_attached()  # the page draws them once its script runs
    for i in range(examples.count()):
        with visitor.page.expect_response("**/classify") as answer:
            examples.nth(i).click()
        assert answer.value.ok
    expect(visitor.page.locator("#decision strong")).not_to_be_empty()


def test_the_hard_example_is_uncertain_with_the_bundled_artefact(visit: Visit, tmp_path: Path) -> None:
    with running(tmp_path) as bundled:
        visitor = visit(url=bundled.url)
        visitor.press("A hard case")
        visitor.expect_decision(UNCERTAIN)


def test_evidence_is_marked_by_words_and_signs(visit: Visit) -> None:
    visitor = visit()
    visitor.write("𝒳 proof of the theorem algebra.", "We star the network. The and of.")
    visitor.press("Why?")
    expect(visitor.page.locator("mark.for")).to_contain_text("𝒳 proof of the theorem algebra. supports, +")
    expect(visitor.page.locator("mark.against").first).to_contain_text("We star the network. speaks against, −")
    visitor.write("another text")
    expect(visitor.page.locator("#evidence")).to_be_hidden()


def test_a_link_reopens_the_text_without_sending_it_in_a_url(visit: Visit) -> None:
    visitor = visit()
    visitor.write("quantum star & plasma #1", "A particle: 100 % é𝒳.")
    visitor.expect_decision("Physics")
    visitor.press("Copy a link")
    expect(visitor.page.locator("#link-note")).not_to_be_empty()
    link = visitor.page.url.removeprefix(visitor.url)
    other = visit(link)
    other.expect_decision("Physics")
    assert other.page.get_by_role("textbox", name="Abstract").input_value() == "A particle: 100 % é𝒳."
    assert not [url for _, url in other.requests if "plasma" in url.partition("#")[0]]


def test_a_link_made_with_another_version_is_reported(visit: Visit) -> None:
    visitor = visit("/#title=star&version=0.9.0")
    expect(visitor.page.locator("#link-note")).to_contain_text("made with version 0.9.0")


def test_changes_by_the_text_preparation_are_reported(visit: Visit) -> None:
    visitor = visit()
    prepared = {"unknown": 2, "changes": ["markup", "hyphenation", "of_tomorrow"], "withdrawn": True}

    def told(route: Route) -> None:
        result = route.fetch().json()
        route.fulfill(json=result | {"input": result["input"] | prepared})

    visitor.page.route("**/classify", told)
    visitor.write("quantum star")
    notes = visitor.page.locator("#notes")
    expect(notes).to_contain_text("Of these, 2 are not in its vocabulary.")
    expect(notes).to_contain_text(
        "Before that, markup was removed, words broken at line ends were joined, and of_tomorrow."
    )
    expect(notes).to_contain_text("a notice that the paper was withdrawn")


@pytest.mark.parametrize(
    ("status", "decision", "remark"),
    [
        ("out_of_scope", "Physics Out of scope", "The text is unlike the papers the model was trained on"),
        ("of_tomorrow", "Physics of tomorrow", "says “of tomorrow”, a status that this page does not know"),
    ],
)
def test_other_statuses_are_explained(visit: Visit, status: str, decision: str, remark: str) -> None:
    visitor = visit()
    visitor.page.route("**/classify", lambda route: route.fulfill(json=route.fetch().json() | {"status": status}))
    visitor.write("quantum star")
    visitor.expect_decision(decision)
    expect(visitor.page.locator("#notes")).to_contain_text(remark)


def test_a_request_is_repeated_when_the_service_is_busy(visit: Visit) -> None:
    visitor = visit()
    busy = {"detail": "Too many papers are waiting.", "code": "queue_full"}
    refusals: list[int] = []

    def refuse_once(route: Route) -> None:
        if refusals:
            return route.continue_()
        refusals.append(429)
        return route.fulfill(status=429, headers={"Retry-After": "1"}, json=busy)

    visitor.page.route("**/classify", refuse_once)
    visitor.write("quantum star")
    visitor.expect_decision("The service is busy; trying again in 1 s.")
    visitor.expect_decision("Physics")


def test_a_new_model_replaces_the_labels_of_an_open_page(visit: Visit) -> None:
    visitor = visit("/card")
    asked: list[int] = []

    def an_older_one_first(route: Route) -> None:
        asked.append(1)
        if len(asked) > 1:
            return route.continue_()
        card = route.fetch().json()
        label = card["labels"][0] | {"name": "Alchemy"}
        return route.fulfill(json=card | {"labels": [label], "sha256": "0" * 64})

    visitor.page.route("**/model", an_older_one_first)
    visitor.go("/")
    expect(visitor.page.locator("#bars tbody")).to_contain_text("Alchemy")
    visitor.write("quantum star")
    visitor.expect_decision("Physics")
    expect(visitor.page.locator("#bars tbody tr")).to_have_count(3)


def test_a_refusal_is_shown_with_the_detail_of_the_service(visit: Visit) -> None:
    visitor = visit()
    visitor.write("star " * 500)
    expect(visitor.page.locator("#decision")).to_contain_text("expected at most 2000")


def test_the_card_page_shows_the_model_card(visit: Visit) -> None:
    visitor = visit("/card")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("tiny-subjects 1.0.0")
    expect(visitor.page.get_by_role("row", name="Mathematics")).to_contain_text("0.50")
    expect(visitor.page.locator("#card")).to_contain_text("Knows twelve words.")
    expect(visitor.page.get_by_role("heading", name="Out-of-scope texts")).to_be_visible()
    expect(visitor.page.locator("#card")).to_contain_text("Texts that are not papers, marked")


def test_the_page_works_with_the_keyboard_alone(visit: Visit) -> None:
    visitor = visit()
    keyboard = visitor.page.keyboard
    keyboard.press("Tab")
    expect(visitor.page.get_by_text("Skip to the text fields")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.type("a proof of the theorem")
    keyboard.press("Tab")
    keyboard.type("algebra. A manifold.")
    visitor.expect_decision("Mathematics")
    for _ in range(20):
        if visitor.page.evaluate("document.activeElement.id") == "why":
            break
        keyboard.press("Tab")
    keyboard.press("Enter")
    expect(visitor.page.locator("#evidence")).to_be_focused()


def test_nothing_is_loaded_from_another_host(visit: Visit) -> None:
    visitor = visit()
    visitor.write("quantum star")
    visitor.expect_decision("Physics")
    visitor.go("/card")
    expect(visitor.page.locator("#card section").first).to_be_visible()
    assert {url[: len(visitor.url) + 1] for _, url in visitor.requests} == {f"{visitor.url}/"}


# In the dark only the colours differ.
@pytest.mark.parametrize(("scheme", "rules"), [("light", None), ("dark", {"runOnly": ["color-contrast"]})])
def test_axe_finds_no_accessibility_violations(visit: Visit, scheme: str, rules: dict[str, list[str]] | None) -> None:
    visitor = visit(color_scheme=scheme, reduced_motion="reduce")
    visitor.write("proof of the theorem algebra.", "We star the network.")
    visitor.press("Why?")
    visitor.page.locator("#evidence").wait_for()
    visitor.page.locator("#file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b'title\nstar\n"two\nlines"\n'}
    )
    visitor.press("Label the papers")
    expect(visitor.page.locator("#outcome")).to_be_visible()
    for path in ("", "/card", "/problems/queue_full"):
        if path:
            visitor.go(path)
            visitor.page.locator("main h2, main a").first.wait_for()
        found = Axe().run(visitor.page, options=rules)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows_the_window(visit: Visit, width: int) -> None:
    visitor = visit(viewport={"width": width, "height": 844})
    visitor.write("proof of the theorem algebra.", "We star the network. " + "x" * 300)
    visitor.press("Why?")
    visitor.page.locator("#evidence").wait_for()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("content", ["<!doctype html><title>Log in</title>", '{"labels": ['], ids=["page", "part"])
def test_an_answer_that_is_not_json_is_explained(visit: Visit, content: str) -> None:
    visitor = visit()
    visitor.page.route("**/classify", lambda route: route.fulfill(status=200, body=content))
    visitor.write("a star")
    expect(visitor.page.locator("#decision")).to_contain_text("The answer is incomplete or is not JSON.")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Running]:
    store = builders.publish(tmp_path / "artefacts")
    keys = tmp_path / "keys"
    keys.write_text(f"reader:{hashlib.sha256(b'open sesame').hexdigest()}\n")
    with running(tmp_path, artefacts=store.root, threads=1, api_key_file=keys) as service:
        yield service


def test_a_key_is_requested_only_if_the_service_requires_one(visit: Visit, locked: Running) -> None:
    expect(visit().page.locator("#key")).to_be_hidden()
    visitor = visit(url=locked.url)
    field = visitor.page.get_by_label("This service requires an API key")
    expect(field).to_be_focused()
    field.fill("guess")
    visitor.press("Use this key")
    expect(visitor.page.locator("#key-note")).to_have_text("The service did not accept that key.")
    field.fill("open\u200b sesame")
    visitor.press("Use this key")
    expect(visitor.page.locator("#key-note")).to_contain_text("a character that no key has")
    field.fill("open sesame")
    visitor.press("Use this key")
    visitor.write("quantum star")
    visitor.expect_decision("Physics")
    visitor.go("/card")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("tiny-subjects 1.0.0")
    assert "open sesame" not in json.dumps(visitor.requests)


def test_the_pages_work_below_a_path_of_a_proxy(visit: Visit, service: Running) -> None:
    with below_a_path(service.url, "/papers") as url:
        visitor = visit(url=url)
        visitor.write("quantum star")
        visitor.expect_decision("Physics")
        visitor.page.get_by_role("link", name="Model card").click()
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("tiny-subjects 1.0.0")
        visitor.page.get_by_role("link", name="API").click()
        operation = visitor.page.locator(".opblock", has=visitor.page.locator('[data-path="/classify"]'))
        operation.locator(".opblock-summary").click()
        with visitor.page.expect_response(f"{url}/classify") as answer:
            operation.get_by_role("button", name="Execute").click()
        assert answer.value.status == 200
        visitor.go("/problems/queue_full")
        visitor.page.get_by_role("link", name="Paper subjects").click()
        expect(visitor.page.locator("#bars tbody tr")).to_have_count(3)
        assert not [asked for _, asked in visitor.requests if not asked.startswith((f"{url}/", "data:"))]
        visitor.close()


def test_of_hundreds_of_labels_the_most_probable_are_shown_and_the_others_can_be_searched(visit: Visit) -> None:
    names = [f"s.{i}" for i in range(300)]
    visitor = visit("/card")

    def many_labels(route: Route) -> None:
        card = route.fetch().json()
        labels = [{"id": name, "name": name, "title": f"Subject {name[2:]}", "threshold": 0.9} for name in names]
        route.fulfill(json=card | {"labels": labels})

    def many_probabilities(route: Route) -> None:
        result = route.fetch().json()
        probabilities = {name: i / 300 for i, name in enumerate(names)}
        route.fulfill(json=result | {"probabilities": probabilities, "labels": ["s.299", "s.0"]})

    visitor.page.route("**/model", many_labels)
    visitor.page.route("**/classify", many_probabilities)
    visitor.go("/")
    visitor.write("quantum star")
    visitor.expect_decision("Subject 299 (s.299) and Subject 0 (s.0)")
    rows = visitor.page.locator("#bars tbody tr")
    expect(rows).to_have_count(11)
    expect(rows.first).to_contain_text("Subject 299 (s.299) assigned")
    expect(rows.last).to_contain_text("Subject 0 (s.0) assigned")
    visitor.page.get_by_label("Find a subject").fill("subject 15")
    expect(rows).to_have_count(11)
    expect(rows.first).to_contain_text("Subject 159")
    expect(visitor.page.locator("#search-note")).to_have_text("11 of 300 subjects are shown.")
