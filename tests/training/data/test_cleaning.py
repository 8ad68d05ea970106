"""Papers without a text and papers outside a period are left out and counted."""

from pathlib import Path

import pytest

from model_store.papers import InputFormat, Paper, PaperEncoder
from tests import builders
from training.config import Source
from training.data.cleaning import Cleaning, Counts, has_text, in_time
from training.data.papers import LabelledPaper

PATH = Path("papers.csv")


def dated(*dates: str) -> list[LabelledPaper]:
    return [
        LabelledPaper(Paper(f"paper {row}"), frozenset({"X"}), date, None, "", row)
        for row, date in enumerate(dates, start=1)
    ]


def kept(source: Source, *dates: str) -> tuple[list[str], dict[str, int]]:
    """The dates that are kept, and the counts that are not zero."""
    counts: Counts = {}
    papers = [paper.date for paper in Cleaning(keep_unlabelled=True)(dated(*dates), source, counts)]
    return papers, {reason: count for reason, count in counts.items() if count}


def test_a_year_or_a_month_is_compared_with_as_much_of_the_bounds() -> None:
    dates = ("2013", "2014", "2014-01", "2013-12-31", "2019", "2019-12", "2019-12-31T23:59", "2020", "2020-01", "2021")
    papers, counts = kept(Source(path=PATH, since="2014-01-01", until="2020-01-01"), *dates)
    assert papers == ["2014", "2014-01", "2019", "2019-12", "2019-12-31T23:59"]
    assert counts == {"rows": 10, "older": 2, "newer": 3}


@pytest.mark.parametrize("date", ["2019", "2020", "2020-05", "2020-06", "2020-06-15", "2021", "2020-06-15T10:00"])
def test_a_paper_lies_in_one_of_two_consecutive_periods(date: str) -> None:
    before, after = (Source(path=PATH, **{bound: "2020-06-15"}) for bound in ("until", "since"))
    assert in_time(date, before) != in_time(date, after)


@pytest.mark.parametrize("bound", ["since", "until"])
def test_papers_without_a_date_are_left_out_where_there_is_a_bound(bound: str) -> None:
    dates = ("", "nan", "31/12/2014", "2015-01-01")
    bounded = Source(path=PATH, **{bound: "2015-01-01" if bound == "since" else "2016-01-01"})
    assert kept(bounded, *dates) == (["2015-01-01"], {"rows": 4, "undated": 3})
    assert kept(Source(path=PATH), *dates) == (list(dates), {"rows": 4})


@pytest.mark.parametrize(
    "text",
    ["", "n/a", "<p/>", "Abstract: n/a", "Summary. No abstract available", "&nbsp;", "\u200b", "<p>Abstract: n/a</p>"],
)
def test_text_that_the_preparation_empties_is_none(text: str) -> None:
    encoder = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32, preparation="plain-text"))
    assert not has_text(Paper("", text))
    assert not encoder.has_text(Paper("", text))
    assert has_text(Paper("Stars", text))


@pytest.mark.parametrize("text", ["Stars", "Abstract: stars", "a < b", "Abstract", "Titles, untitled", "Ab-\nstracts"])
def test_text_is_what_the_preparation_leaves(text: str) -> None:
    encoder = PaperEncoder(builders.tokenizer(), InputFormat(max_tokens=32, preparation="plain-text"))
    assert has_text(Paper(text)) == encoder.has_text(Paper(text))
