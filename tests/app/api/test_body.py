"""From bytes to papers: pointers, ids, and that no body is expensive to refuse."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.body import Limits, parse, read_batch, read_paper
from app.api.schemas import PaperIn
from app.errors import BodyError, InvalidRequest, NotJson

LIMITS = Limits(papers=64, title=2_000, abstract=100_000)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def refusal_of(read: Callable[[Any, Limits], object], document: object) -> BodyError | None:
    try:
        read(document, LIMITS)
    except BodyError as refusal:
        return refusal
    return None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_no_json(body: bytes) -> None:
    refusal = refusal_of(lambda document, limits: parse(document), body)
    assert refusal is None or isinstance(refusal, NotJson)


@given(JSON)
def test_any_document_is_read_or_refused_with_a_place(document: object) -> None:
    for read in (read_paper, read_batch):
        refusal = refusal_of(read, document)
        assert refusal is None or refusal.faults[0].pointer.startswith("#")


@given(st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=50).filter(str.strip))
def test_any_title_arrives_as_it_was_sent(title: str) -> None:
    paper = read_paper(parse(json.dumps({"title": title}).encode()), LIMITS)
    assert paper == PaperIn(title=title)


def test_an_id_survives_the_refusal_of_its_paper_if_it_is_usable() -> None:
    readings = read_batch({"papers": [{"id": "x"}, {"id": "\x00"}, {"id": 7}, {"id": "i" * 129}, 5]}, LIMITS)
    assert [reading.id for reading in readings] == ["x", None, None, None, None]
    assert all(isinstance(reading.paper, InvalidRequest) for reading in readings)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({f"{i:x}": 0 for i in range(80_000)}),
        json.dumps({"papers": [{f"{i:x}": 0 for i in range(1_250)}] * 64}),
        '{"papers": [' + ",".join(["{}"] * 340_000) + "]}",
        '{"papers": [' + "[[" * 400 + "]]" * 400 + "]}",
    ],
)
def test_shapes_that_are_wrong_many_times_cost_no_more_than_once(body: str) -> None:
    document = parse(body.encode())
    began = time.process_time()
    for read in (read_paper, read_batch):
        refusal_of(read, document)
    assert time.process_time() - began < 0.1
