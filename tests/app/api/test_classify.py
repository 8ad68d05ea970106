"""Responses of POST /classify and /classify/batch."""

import pytest
from starlette.testclient import TestClient

from model_store.store import Store

PAPER = {"title": "A quantum algorithm", "abstract": "We prove a theorem and a proof.", "id": "a/1"}


def test_a_paper_gets_a_probability_for_every_label_in_the_artefacts_order(client: TestClient) -> None:
    answer = client.post("/classify", json=PAPER).json()
    assert list(answer["probabilities"]) == ["Computer Science", "Physics", "Mathematics"]
    assert all(0 <= probability <= 1 for probability in answer["probabilities"].values())


def test_probabilities_are_those_of_the_classifier(client: TestClient, store: Store) -> None:
    golden = store.open().golden()
    for paper in golden.papers:
        answer = client.post("/classify", json={"title": paper.title, "abstract": paper.abstract}).json()
        assert list(answer["probabilities"].values()) == pytest.approx(paper.scores, abs=1e-6)


def test_labels_are_those_at_their_threshold_most_probable_first(client: TestClient) -> None:
    answer = client.post("/classify", json={"title": "quantum quantum quantum algorithm algorithm"}).json()
    assert answer["labels"] == ["Physics", "Computer Science"]
    assert answer["status"] == "ok"


def test_a_paper_that_reaches_no_label_is_uncertain(client: TestClient) -> None:
    answer = client.post("/classify", json={"title": "the and of"}).json()
    assert (answer["labels"], answer["status"]) == ([], "uncertain")


def test_the_answer_reports_how_much_the_model_read(client: TestClient) -> None:
    seen = client.post("/classify", json={"title": "a star", "abstract": "we " * 50}).json()["input"]
    assert seen == {
        "tokens": 52,
        "tokens_used": 29,
        "truncated": True,
        "abstract": True,
        "unknown": 0,
        "changes": [],
        "withdrawn": False,
    }


def test_unknown_word_pieces_are_counted(client: TestClient) -> None:
    seen = client.post("/classify", json={"title": "star zxcv star qwer"}).json()["input"]
    assert (seen["tokens"], seen["unknown"]) == (4, 2)


@pytest.mark.parametrize(("top", "names"), [
    (1, ["Physics", "Computer Science"]), (2, ["Physics", "Computer Science"]),
    (3, ["Physics", "Computer Science", "Mathematics"]), (99, ["Physics", "Computer Science", "Mathematics"]),
])  # fmt: skip
def test_top_limits_the_labels_to_the_most_probable_and_those_that_are_assigned(
    client: TestClient, top: int, names: list[str]
) -> None:
    paper = {"title": "quantum quantum quantum algorithm algorithm"}
    all_ = client.post("/classify", json=paper).json()
    answer = client.post(f"/classify?top={top}", json=paper).json()
    assert list(answer["probabilities"]) == names
    assert answer == all_ | {"probabilities": {name: all_["probabilities"][name] for name in names}}
    batch = client.post(f"/classify/batch?top={top}", json={"papers": [paper]}).json()
    assert batch["results"][0]["probabilities"] == answer["probabilities"]
    assert client.post(f"/explain?top={top}", json=paper).json()["probabilities"] == answer["probabilities"]


def test_null_is_the_same_as_leaving_a_field_out(client: TestClient) -> None:
    left_out = client.post("/classify", json={"title": "star"}).json()
    assert client.post("/classify", json={"title": "star", "abstract": None, "id": None}).json() == left_out
    assert client.post("/classify", json={"title": None, "abstract": "a proof"}).json()["labels"] == ["Mathematics"]
    results = client.post("/classify/batch", json={"papers": [{"title": "star", "abstract": None}, {"title": None}]})
    assert [result.get("labels") for result in results.json()["results"]] == [left_out["labels"], None]


def test_of_two_fields_with_one_name_the_last_counts(client: TestClient) -> None:
    answer = client.post(
        "/classify", content='{"title": "star", "title": "a proof"}', headers={"content-type": "application/json"}
    )
    assert answer.json()["labels"] == ["Mathematics"]


def test_the_answer_names_the_artefact(client: TestClient, store: Store) -> None:
    response = client.post("/classify", json=PAPER)
    expected = {"name": "tiny-subjects", "version": "1.0.0", "sha256": store.open().sha256}
    assert response.json()["model"] == expected
    assert response.headers["x-model-version"] == "1.0.0"


def test_the_id_is_echoed_when_given_and_absent_otherwise(client: TestClient) -> None:
    assert client.post("/classify", json=PAPER).json()["id"] == "a/1"
    assert client.post("/classify", json={"title": "star", "id": ""}).json()["id"] == ""
    assert "id" not in client.post("/classify", json={"title": "star"}).json()


def test_an_abstract_alone_is_enough(client: TestClient) -> None:
    assert client.post("/classify", json={"abstract": "a proof"}).json()["labels"] == ["Mathematics"]


def test_stages_are_timed(client: TestClient) -> None:
    stages = client.post("/classify", json=PAPER).headers["server-timing"].split(", ")
    assert [stage.split(";")[0] for stage in stages] == ["tokenize", "queue", "infer"]


def test_a_batch_answers_like_single_requests_in_any_order(client: TestClient) -> None:
    titles = ["quantum star", "a proof of the theorem", "software", "the and", "network plasma algebra " * 20]
    alone = [client.post("/classify", json={"title": title}).json() for title in titles]
    for order in (titles, titles[::-1]):
        batch = client.post("/classify/batch", json={"papers": [{"title": title} for title in order]}).json()
        expected = alone if order is titles else alone[::-1]
        assert [{**result, "model": batch["model"]} for result in batch["results"]] == expected


def test_an_invalid_paper_of_a_batch_does_not_affect_the_others(client: TestClient) -> None:
    bad = [{"title": " "}, 7, {"id": "x", "title": "a\x00b"}, {"title": "a", "extra": 1}, {"title": "\x07"}]
    results = client.post("/classify/batch", json={"papers": [PAPER, *bad, PAPER]}).json()["results"]
    assert results[0] == results[-1]
    assert results[0]["labels"]
    assert [result["error"]["status"] for result in results[1:-1]] == [422] * len(bad)
    assert results[3]["id"] == "x"


def test_faults_of_a_batch_point_to_their_paper(client: TestClient) -> None:
    results = client.post("/classify/batch", json={"papers": [PAPER, {"title": 5}, {"title": ""}]}).json()["results"]
    pointers = [result["error"]["errors"][0]["pointer"] for result in results[1:]]
    assert pointers == ["#/papers/1/title", "#/papers/2"]


def test_a_batch_of_invalid_papers_only_is_answered_too(client: TestClient) -> None:
    response = client.post("/classify/batch", json={"papers": [{}]})
    assert response.status_code == 200
    assert response.json()["results"][0]["error"]["code"] == "invalid_request"


def test_a_text_unlike_all_papers_is_out_of_scope_and_counted_as_such(client: TestClient) -> None:
    answer = client.post("/classify", json={"title": "zxcv qwer asdf", "abstract": "uiop hjkl " * 8}).json()
    assert answer["status"] == "out_of_scope"
    assert set(answer["probabilities"]) == {"Computer Science", "Physics", "Mathematics"}
    assert 'papers_classified_total{status="out_of_scope"} 1.0' in client.get("/metrics").text
