"""Labelling a CSV file on the page; the CSV parser compared with Python's."""

import csv
import io
import json
import random
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tables.formulas import neutralized
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

PAPERS = """Shelf,Title,Abstract
7,quantum star,"A particle,
a ""plasma""."
8,,
9,=cmd|' /C calc'!A0,a proof of the theorem
10,too,many,cells
-11,"algebra, manifold",
12,compiler,software
13,star,
14,network,
"""
CELLS = (
    "plain",
    "",
    'a "quoted" word',
    "comma, inside",
    "line\nbreak",
    "carriage\r\nreturn",
    " spaces ",
    "é𝒳",
    ";",
    "\t",
)

# All texts at once: the way to the browser and back takes longer than the reading.
READ = """async (texts) => {
    const { rows } = await import("/web/csv.js");
    return texts.map(([text, delimiter]) => [...rows(text, delimiter)].map((row) => row.cells));
}"""
WRITE = """async (tables) => {
    const { csv } = await import("/web/csv_writer.js");
    return tables.map((table) => csv(table));
}"""


def give(visitor: Visitor, content: bytes, name: str = "papers.csv") -> None:
    visitor.page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def download(visitor: Visitor, path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with visitor.page.expect_download() as found:
        visitor.press("Download as CSV")
    assert found.value.suggested_filename == "papers-labelled.csv"
    found.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_a_file_chosen_before_the_page_was_ready_is_opened(visit: Visit) -> None:
    visitor = visit()
    held: list[Route] = []
    visitor.page.route("**/model", lambda route: held.append(route))
    visitor.page.reload()
    give(visitor, b"title\nstar\n")
    expect(visitor.page.get_by_role("button", name="Label the papers")).to_be_hidden()
    held[0].continue_()
    visitor.press("Label the papers")


def test_a_csv_comes_back_labelled_with_its_columns_kept(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    give(visitor, PAPERS.encode())
    visitor.press("Label the papers")
    note = visitor.page.locator("#sheet-note")
    expect(note).to_have_text(
        "6 of 8 rows labelled. Left out: line 4: neither a title nor an abstract; "
        "line 6: 4 cells, where the first line has 3."
    )
    rows = download(visitor, tmp_path / "labelled.csv")
    assert [row["Shelf"] for row in rows] == ["7", "8", "9", "10", "-11", "12", "13", "14"]
    assert rows[0]["Abstract"] == 'A particle,\na "plasma".'
    assert [row["labels"] for row in rows[2:5:2]] == ["Mathematics", "Mathematics"]
    assert 0 < float(rows[0]["Physics"]) < 1
    assert rows[1]["problem"] == "neither a title nor an abstract"


def test_papers_to_check_are_counted_and_the_model_is_named(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    statuses = iter(["ok", "uncertain", "out_of_scope", "of_tomorrow"])

    def restated(route: Route) -> None:
        answer = route.fetch().json()
        route.fulfill(json=answer | {"results": [each | {"status": next(statuses)} for each in answer["results"]]})

    visitor.page.route("**/classify/batch", restated)
    give(visitor, b"title\nstar\nproof\nstar\nstar\n")
    visitor.press("Label the papers")
    note = visitor.page.locator("#sheet-note")
    expect(note).to_have_text("4 of 4 rows labelled, 3 of them for a person to check.")
    shown = visitor.page.locator("#rows tbody td:nth-child(4)")
    expect(shown).to_have_text(["ok", "A person should check", "Out of scope", "of tomorrow"])
    rows = download(visitor, tmp_path / "labelled.csv")
    assert [row["status"] for row in rows] == ["ok", "uncertain", "out_of_scope", "of_tomorrow"]
    assert {row["model"][:20] for row in rows} == {"tiny-subjects 1.0.0 "}


@pytest.mark.parametrize("status", [408, 413, 504])
def test_a_batch_that_is_too_slow_or_too_large_is_halved(visit: Visit, status: int) -> None:
    visitor = visit()
    sizes: list[int] = []

    def refuse_more_than_two(route: Route) -> None:
        sizes.append(len(json.loads(route.request.post_data or "")["papers"]))
        route.fulfill(status=status, json={"detail": "No."}) if sizes[-1] > 2 else route.continue_()

    visitor.page.route("**/classify/batch", refuse_more_than_two)
    give(visitor, b"title\n" + b"star\n" * 4)
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text("4 of 4 rows labelled.")
    assert sizes == [4, 2, 2]


def test_a_paper_that_could_not_be_classified_just_now_is_sent_again_by_itself(visit: Visit) -> None:
    visitor = visit()
    sizes: list[int] = []

    def stall_one(route: Route) -> None:
        sizes.append(len(json.loads(route.request.post_data or "")["papers"]))
        answer = route.fetch().json()
        if sizes[-1] > 1 or len(sizes) > 2:
            answer["results"][-1] = {"error": {"status": 503, "code": "engine_stalled", "detail": "Stalled."}}
        route.fulfill(json=answer)

    visitor.page.route("**/classify/batch", stall_one)
    give(visitor, b"title\nstar\nproof\n")
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text("2 of 2 rows labelled.")
    assert sizes == [2, 1]


def test_a_table_is_labelled_by_one_model(visit: Visit) -> None:
    visitor = visit()
    asked: list[Route] = []

    def changed_after_the_first(route: Route) -> None:
        asked.append(route)
        model = {"name": "tiny-subjects", "version": f"1.{len(asked) // 2}.0", "sha256": str(len(asked) // 2) * 64}
        route.fulfill(json=route.fetch().json() | {"model": model})

    visitor.page.route("**/classify/batch", changed_after_the_first)
    give(visitor, b"title\n" + b"star\n" * 8)
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text(
        "The service changed its model from 1.0.0 to 1.1.0; "
        "choose the file again to have all rows labelled by the new one. "
        "4 of 8 rows labelled."
    )


def test_no_cell_of_the_download_is_a_formula(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    give(visitor, b"title,note\nstar,=1+1\nstar,+49 30\nstar,-12.5\nstar,@SUM(A1)\nstar,\t=2\nstar,a=b\n")
    visitor.press("Label the papers")
    notes = [row["note"] for row in download(visitor, tmp_path / "safe.csv")]
    assert notes == ["'=1+1", "'+49 30", "-12.5", "'@SUM(A1)", "'\t'=2", "a=b"]


def test_papers_are_sent_in_batches_of_the_service_s_limit(visit: Visit) -> None:
    visitor = visit()
    give(visitor, b"title\n" + b"star\n" * 10)
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text("10 of 10 rows labelled.")
    assert visitor.request_count("/classify/batch") == 3


def test_the_table_is_sorted_by_the_column_that_is_clicked(visit: Visit) -> None:
    visitor = visit()
    give(visitor, b"title\nstar\nproof\nstar star star quantum\n")
    visitor.press("Label the papers")
    head = visitor.page.get_by_role("columnheader", name="Physics")
    head.get_by_role("button").click()
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(visitor.page.locator("#rows tbody tr").last).to_contain_text("proof")


def test_labelling_can_be_stopped_and_continued(visit: Visit) -> None:
    visitor = visit()
    held: list[Route] = []
    visitor.page.route("**/classify/batch", lambda route: held.append(route) if len(held) == 1 else _pass(held, route))
    give(visitor, b"title\n" + b"star\n" * 12)
    visitor.press("Label the papers")
    expect(visitor.page.locator("#count")).to_have_text("4 of 12")
    visitor.press("Stop")
    expect(visitor.page.locator("#sheet-note")).to_have_text("Stopped. 4 of 12 rows labelled.")
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text("12 of 12 rows labelled.")


def _pass(held: list[Route], route: Route) -> None:
    held.append(route)
    route.continue_()


def test_a_file_without_rows_is_refused(visit: Visit) -> None:
    visitor = visit()
    for content in (b"", b"title\n", b"\n\n"):
        give(visitor, b"title\nstar\n")
        expect(visitor.page.locator("#sheet-note")).to_contain_text("No column has a known name for abstracts")
        give(visitor, content)
        expect(visitor.page.locator("#sheet-note")).to_contain_text("at least one row")


def test_columns_are_chosen_and_old_spreadsheets_are_read(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    give(visitor, "Titel;Land\nstar;Österreich\n".encode("cp1252"))
    visitor.page.get_by_label("Titles are in").select_option("Titel")
    visitor.press("Label the papers")
    (row,) = download(visitor, tmp_path / "old.csv", delimiter=";")
    assert (row["Titel"], row["Land"], row["labels"]) == ("star", "Österreich", "Physics")


def test_the_page_and_python_read_each_other_s_csv(visit: Visit) -> None:
    chance = random.Random(5)
    tables = [[[chance.choice(CELLS) for _ in range(3)] for _ in range(4)] for _ in range(60)]
    texts = [(_csv(table, ",;\t"[i % 3], ("\r\n", "\n")[i % 2]), ",;\t"[i % 3]) for i, table in enumerate(tables)]
    page = visit("/card").page
    assert page.evaluate(READ, texts) == tables
    written = [list(csv.reader(io.StringIO(text, newline=""))) for text in page.evaluate(WRITE, tables)]
    assert written == [[[neutralized(cell) for cell in row] for row in table] for table in tables]


def _csv(table: list[list[str]], delimiter: str, line_end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(table)
    return text.getvalue()


def test_characters_that_the_service_refuses_are_sent_as_spaces(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    give(visitor, b"title,abstract\na star,of plasma\na\x00star,of plasma\x00\n")
    visitor.press("Label the papers")
    expect(visitor.page.locator("#sheet-note")).to_have_text("2 of 2 rows labelled.")
    plain, unreadable = download(visitor, tmp_path / "labelled.csv")
    assert (unreadable["title"], unreadable["labels"]) == ("a\x00star", "Physics")
    assert unreadable["Physics"] == plain["Physics"]


def test_a_broken_row_is_reported_with_its_line(visit: Visit) -> None:
    read = 'async (text) => [...(await import("/web/csv.js")).rows(text)].map((row) => [row.line, row.fault])'
    found = visit("/card").page.evaluate(read, 'a,b\n"x\ny",1\n"c"d,2\n\n"never,3\nz,4\n')
    assert found == [
        [1, ""],
        [2, ""],
        [4, "text follows a closing quotation mark"],
        [6, "a quotation mark is never closed, up to line 8; the lines after this one are read without it"],
        [7, ""],
    ]  # fmt: skip
