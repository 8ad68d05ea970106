"""Every error is a problem document and never quotes the request."""

import json

import pytest
from starlette.testclient import TestClient

from app.api.errors import PROBLEMS

JSON = {"content-type": "application/json"}
SECRET = "zanzibar"


def post(
    client: TestClient, body: bytes | str, path: str = "/classify", **headers: str
) -> tuple[int, dict[str, object]]:
    response = client.post(path, content=body, headers={**JSON, **headers})
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["instance"] == response.headers["x-request-id"]
    return response.status_code, response.json()


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "nope", '{"title": NaN}', '{"title": Infinity}', b"\xff\xfe",
        "[" * 100_000,
        '{"a":' * 50_000, "1" * 5_000, b"\xef\xbb\xbf{}", "{'title': 'a'}", '{"title": "a"} x', '{"title": "\n"}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_a_400(client: TestClient, body: bytes | str) -> None:
    status, problem = post(client, body)
    assert (status, problem["code"]) == (400, "not_json")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b" \n", "The body is empty"),
        (b'\xef\xbb\xbf{"title": "star"}', "byte order mark"),
        ('{"title": "star"}'.encode("utf-16"), "UTF-16 or UTF-32"),
        ('{"title": "star"}'.encode("utf-16-le"), "UTF-16 or UTF-32"),
        ('{"title": "star"}'.encode("utf-32-be"), "UTF-16 or UTF-32"),
        ('{"title": "\u00e9toile"}'.encode("latin-1"), "not valid UTF-8"),
        (b'{"title": "$\\alpha$"}', "parsing stopped at character 12"),
    ],
)
def test_the_detail_says_what_is_wrong_with_the_bytes(client: TestClient, body: bytes, said: str) -> None:
    status, problem = post(client, body)
    assert (status, problem["code"]) == (400, "not_json")
    assert said in str(problem["detail"])


@pytest.mark.parametrize(
    ("path", "document", "detail"),
    [
        ("/classify", {"title": "a", "id": "i" * 129}, "#/id: expected at most 128 characters."),
        ("/classify?top=0", {"title": "a"}, "top: expected at least 1."),
        ("/classify/batch", {"papers": []}, "#/papers: 0 elements, expected at least 1."),
        ("/classify/batch", {"papers": None}, "#/papers: expected an array."),
    ],
)
def test_constraints_are_stated_in_our_own_words(client: TestClient, path: str, document: object, detail: str) -> None:
    assert post(client, json.dumps(document), path)[1]["detail"] == detail


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"content-type": "application/json; charset=utf-16"}, "another charset"),
        ({"content-type": "application/x-www-form-urlencoded"}, "not declared as JSON"),
        ({"content-encoding": "x-gzip"}, "is compressed"),
    ],
)
def test_the_detail_says_what_is_wrong_with_the_declaration(
    client: TestClient, headers: dict[str, str], said: str
) -> None:
    status, problem = post(client, '{"title": "a star"}', **headers)
    assert status == 415
    assert said in str(problem["detail"])


def test_a_coding_after_an_empty_one_is_refused_with_those_that_are_accepted(client: TestClient) -> None:
    headers = [("content-type", "application/json"), ("content-encoding", "identity"), ("content-encoding", "gzip")]
    answer = client.post("/classify", content=b"\x1f\x8b", headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


def test_an_empty_content_encoding_is_none(client: TestClient) -> None:
    assert post(client, '{"title": "a star"}', **{"content-encoding": ""})[0] == 200


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "#"), ([], "#"), (None, "#"), (3, "#"), ("text", "#"), ({"title": ""}, "#"), ({"title": " \t\n"}, "#"),
        ({"title": "\x07"}, "#"), ({"title": None}, "#"), ({"title": 3}, "#/title"),
        ({"title": ["a"]}, "#/title"),
        ({"title": "a\x00b"}, "#/title"), ({"title": None, "abstract": None}, "#"),
        ({"title": True}, "#/title"),
        ({"title": "a", "abstract": "b\x00"}, "#/abstract"), ({"title": "a", "id": 7}, "#/id"),
        ({"title": "a", "id": "i" * 129}, "#/id"),
        ({"title": "a", "year": 2001}, "#/year"), ({"title": "a", "an unknown, long name": 1}, "#"),
        ({"title": "a", "4111111111111111": 1}, "#"),
        ({"title": "a" * 2001}, "#/title"), ({"title": "a", "abstract": "a" * 100_001}, "#/abstract"),
        ({"papers": []}, "#/papers"),
    ],
)  # fmt: skip
def test_json_of_the_wrong_shape_is_a_422_that_points_there(client: TestClient, document: object, pointer: str) -> None:
    status, problem = post(client, json.dumps(document))
    assert (status, problem["code"]) == (422, "invalid_request")
    assert isinstance(problem["errors"], list)
    assert problem["errors"][0]["pointer"] == pointer


def test_half_a_surrogate_pair_is_a_422(client: TestClient) -> None:
    for body in (r'{"title": "\ud83d"}', r'{"title": "a", "id": "\udc00"}', r'{"\ud800": 1, "title": "a"}'):
        assert post(client, body)[0] == 422
    assert post(client, r'{"title": "a star \ud83d\ude00"}')[0] == 200


@pytest.mark.parametrize(
    "document", [{}, {"papers": {}}, {"papers": []}, {"papers": [1] * 65}, [], {"papers": [], "x": 1}]
)
def test_a_wrong_envelope_is_a_422_for_all(client: TestClient, document: object) -> None:
    assert post(client, json.dumps(document), "/classify/batch")[0] == 422


@pytest.mark.parametrize("top", ["0", "-1", "many", "1.5", "", "9" * 5000])
@pytest.mark.parametrize("path", ["/classify", "/classify/batch", "/explain"])
def test_an_invalid_parameter_is_a_422_that_names_it(client: TestClient, path: str, top: str) -> None:
    body = {"papers": [{"title": "star"}]} if path == "/classify/batch" else {"title": "star"}
    answer = client.post(f"{path}?top={top}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["parameter"] == "top"


def test_a_length_over_the_limit_names_limit_and_length(client: TestClient) -> None:
    _, problem = post(client, json.dumps({"title": "a" * 2001}))
    assert (problem["limit"], problem["actual"]) == (2000, 2001)
    _, problem = post(client, json.dumps({"papers": [{"title": "a"}] * 65}), "/classify/batch")
    assert (problem["limit"], problem["actual"]) == (64, 65)


def test_a_body_over_the_limit_is_a_413(client: TestClient) -> None:
    status, problem = post(client, b" " * (1024 * 1024 + 1))
    assert (status, problem["limit"], problem["actual"]) == (413, 1024 * 1024, 1024 * 1024 + 1)
    assert post(client, b" " * (1024 * 1024))[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"}, {"content-type": "application/xml"}, {"content-type": ""},
        {"content-type": "application/json; charset=latin-1"}, {"content-encoding": "gzip"}, {"content-encoding": "br"},
    ],
)  # fmt: skip
def test_other_content_types_than_json_are_a_415(client: TestClient, headers: dict[str, str]) -> None:
    assert post(client, '{"title": "a star"}', **headers)[0] == 415


def test_a_declared_charset_of_utf8_is_fine(client: TestClient) -> None:
    assert post(client, '{"title": "a star"}', **{"content-type": "Application/JSON; charset=UTF-8"})[0] == 200


def test_the_framework_refuses_with_problems_too(client: TestClient) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/classify", 405), ("POST", "/classify/", 404)):
        response = client.request(method, path)
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    refused = client.get("/classify")
    assert (refused.headers["allow"], refused.json()["detail"]) == (
        "POST", "The resource does not support this method, only POST.",
    )  # fmt: skip


def test_no_error_quotes_the_request(client: TestClient) -> None:
    documents = [
        {"title": SECRET, "abstract": 1}, {"title": SECRET * 1000}, {"title": SECRET + "\x00"},
        {f"{SECRET} {SECRET}": 1}, {"title": [SECRET]}, {"id": SECRET * 20, "title": "a"},
        {"papers": [SECRET]}, SECRET, [SECRET],
    ]  # fmt: skip
    for document in documents:
        for path in ("/classify", "/classify/batch"):
            assert SECRET not in client.post(path, json=document).text
    assert SECRET not in client.post("/classify", content='{"title": "' + SECRET, headers=JSON).text


@pytest.mark.parametrize("code", sorted({kind.code for kind in PROBLEMS.values()}))
def test_every_problem_type_is_explained_where_its_type_points(client: TestClient, code: str) -> None:
    assert client.get(f"/problems/{code}").json()["code"] == code
    page = client.get(f"/problems/{code}", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert code in page.text


def test_an_unknown_problem_type_is_a_404(client: TestClient) -> None:
    assert client.get("/problems/bad_luck").status_code == 404


def test_the_type_of_a_problem_resolves(client: TestClient) -> None:
    assert client.get(client.get("/nowhere").json()["type"]).status_code == 200
