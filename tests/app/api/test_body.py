"""Request bodies: parsing, validation errors, and that no body is expensive to refuse."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import Request

from app.api.dependencies import submitted_batch, submitted_paper
from app.api.errors import ApiError, InvalidRequest, NotJson
from app.api.json_route import parse_json
from app.api.schemas import BatchIn, PaperIn
from app.api.validation import Refused, Submitted, invalid_request
from app.settings import Settings
from model_store.papers import Paper

REQUEST = Request({"type": "http", "state": {"settings": Settings()}})
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def read_paper(document: object) -> Submitted:
    try:
        paper = PaperIn.model_validate(document)
    except ValidationError as error:
        raise invalid_request(error.errors()) from None
    return asyncio.run(submitted_paper(paper, REQUEST))


def read_batch(document: object) -> list[Submitted | Refused]:
    try:
        batch = BatchIn.model_validate(document)
    except ValidationError as error:
        raise invalid_request(error.errors()) from None
    return asyncio.run(submitted_batch(batch, REQUEST))


def refusal_of(read: Callable[[Any], object], document: object) -> ApiError | None:
    try:
        read(document)
    except ApiError as refusal:
        return refusal
    return None


def test_a_body_of_very_many_objects_is_refused_before_it_is_parsed() -> None:
    refusal = refusal_of(parse_json, b"[" + b"{}," * 99_999 + b"{}]")
    assert isinstance(refusal, NotJson)
    assert refusal.detail == "The body has 100001 opening brackets; expected at most 100000. Send fewer papers."
    assert refusal_of(parse_json, b"[" + b"{}," * 99_998 + b"{}]") is None


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_as_no_json(body: bytes) -> None:
    refusal = refusal_of(parse_json, body)
    assert refusal is None or isinstance(refusal, NotJson)


@given(JSON)
def test_any_document_is_valid_or_refused_with_a_pointer(document: object) -> None:
    for read in (read_paper, read_batch):
        refusal = refusal_of(read, document)
        assert refusal is None or str(refusal.errors[0].pointer).startswith("#")


@given(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=50).filter(
        str.strip
    )
)
def test_any_title_arrives_as_it_was_sent(title: str) -> None:
    submitted = read_paper(parse_json(json.dumps({"title": title}).encode()))
    assert submitted == Submitted(None, Paper(title))


def test_the_id_of_an_invalid_paper_is_kept_if_it_is_valid_itself() -> None:
    papers = read_batch({"papers": [{"id": "x"}, {"id": "\x00"}, {"id": 7}, {"id": "i" * 129}, 5]})
    assert [paper.id for paper in papers] == ["x", None, None, None, None]
    assert all(isinstance(paper, Refused) and isinstance(paper.error, InvalidRequest) for paper in papers)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({f"{i:x}": 0 for i in range(80_000)}),
        json.dumps({"papers": [{f"{i:x}": 0 for i in range(1_250)}] * 64}),
        '{"papers": [' + ",".join(["{}"] * 99_000) + "]}",
        '{"papers": [' + "[[" * 400 + "]]" * 400 + "]}",
    ],
)
def test_a_document_with_many_errors_costs_no_more_than_one_with_one(body: str) -> None:
    document = parse_json(body.encode())
    began = time.thread_time()
    for read in (read_paper, read_batch):
        refusal_of(read, document)
    assert time.thread_time() - began < 0.1
