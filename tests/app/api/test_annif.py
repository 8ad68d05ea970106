"""Annif's API, used by Annif's own client."""

from collections.abc import Iterator

import pytest
from annif_client import AnnifClient
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store
from tests import builders
from tests.app.running import Running, running

TEXT = "A quantum algorithm\nWe prove a theorem and a proof."
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("annif")
    first, *others = builders.manifest().labels
    described = first.model_copy(update={"title": "Computing", "uri": "https://example.org/computing"})
    store = builders.publish(folder / "artefacts", labels=(described, *others))
    with running(folder, artefacts=store.root, threads=1, annif_api=True) as service:
        yield service


@pytest.fixture
def annif(service: Running) -> AnnifClient:
    return AnnifClient(f"{service.url}/v1/")


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(artefacts=store.root, threads=1, annif_api=True))) as client:
        yield client


def test_the_client_finds_the_model_as_the_only_project(annif: AnnifClient) -> None:
    (project,) = annif.projects
    assert annif.get_project("tiny-subjects") == project
    assert (project["project_id"], project["language"], project["is_trained"]) == ("tiny-subjects", "en", True)
    assert annif.api_info["title"] == "Annif REST API"


def test_an_unknown_project_is_the_error_that_the_client_expects(annif: AnnifClient) -> None:
    with pytest.raises(ValueError, match="no such project"):
        annif.get_project("yso-en")
    with pytest.raises(ValueError, match="no such project"):
        annif.suggest("yso-en", TEXT)


def test_suggestions_are_the_labels_with_their_probabilities(service: Running, annif: AnnifClient) -> None:
    title, abstract = TEXT.split("\n")
    with service.client() as client:
        answer = client.post("/classify", json={"title": title, "abstract": abstract}).json()
    suggestions = annif.suggest("tiny-subjects", TEXT)
    scores = {suggestion["notation"] or suggestion["label"]: suggestion["score"] for suggestion in suggestions}
    assert scores == answer["probabilities"]
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    names = {suggestion["label"]: (suggestion["uri"], suggestion["notation"]) for suggestion in suggestions}
    assert names["Computing"] == ("https://example.org/computing", "Computer Science")
    assert names["Physics"] == ("urn:paper-subjects:tiny-subjects:physics", None)


def test_limit_and_threshold_select_the_best(annif: AnnifClient) -> None:
    everything = annif.suggest("tiny-subjects", TEXT)
    assert annif.suggest("tiny-subjects", TEXT, limit=1) == everything[:1]
    middle = everything[1]["score"]
    chosen = annif.suggest("tiny-subjects", TEXT, threshold=middle)
    assert chosen == [suggestion for suggestion in everything if suggestion["score"] >= middle]
    assert annif.suggest("tiny-subjects", TEXT, threshold=0.999) == []


def test_a_batch_gives_what_single_texts_give(annif: AnnifClient) -> None:
    texts = [TEXT, "a star", "software " * 60]
    documents = [{"text": text, "document_id": str(i)} for i, text in enumerate(texts)]
    answers = annif.suggest_batch("tiny-subjects", documents, limit=2)
    assert [answer["document_id"] for answer in answers] == ["0", "1", "2"]
    assert [answer["results"] for answer in answers] == [annif.suggest("tiny-subjects", text, 2) for text in texts]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ("limit=3", "text"), ("text=star&limit=many", "limit"), ("text=star&limit=-1", "limit"),
        ("text=star&language=fi", "language"),
        ("text=star&threshold=2", "threshold"), ("text=star&threshold=nan", "threshold"), ("text=a%00b", "text"),
    ],
)  # fmt: skip
def test_an_invalid_form_is_a_422_that_names_the_field(client: TestClient, body: str, parameter: str) -> None:
    answer = client.post("/v1/projects/tiny-subjects/suggest", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize("body", [b"text=%ff", b"\xff", b"&".join(b"a%d=1" % i for i in range(1000)), b"text=%20"])
def test_an_unknown_form_is_a_422(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/projects/tiny-subjects/suggest", content=body, headers=FORM)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_text_without_words_is_reported_as_a_text(client: TestClient) -> None:
    one = client.post("/v1/projects/tiny-subjects/suggest", content="text=%20", headers=FORM)
    documents = {"documents": [{"text": "star"}, {"text": "\n"}]}
    many = client.post("/v1/projects/tiny-subjects/suggest-batch", json=documents)
    for answer, pointer in ((one, "#/text"), (many, "#/documents/1/text")):
        assert (answer.status_code, answer.json()["detail"]) == (422, f"{pointer}: expected at least one word.")


def test_other_content_types_and_too_many_documents_are_refused(client: TestClient) -> None:
    path = "/v1/projects/tiny-subjects/suggest"
    assert client.post(path, json={"text": "star"}).status_code == 415
    many = client.post(f"{path}-batch", json={"documents": [{"text": "star"}] * 33})
    assert (many.status_code, many.json()["errors"][0]["pointer"]) == (422, "#/documents")
    wrong = client.post(f"{path}-batch", json={"documents": [{"text": "star"}, {"text": 5}]})
    assert wrong.json()["errors"][0]["pointer"] == "#/documents/1/text"
    long = client.post(f"{path}-batch", json={"documents": [{"text": "a" * 100_001}]})
    assert (long.json()["limit"], long.json()["errors"][0]["pointer"]) == (100_000, "#/documents/0/text")


@pytest.mark.parametrize(
    ("form", "count"),
    [("", 3), ("&limit=2", 2), ("&limit=0", 0), ("&limit=10000", 3), ("&threshold=0.0", 3), ("&threshold=1.0", 0),
     ("&language=en", 3), ("&language=", 3), ("&metadata_author=Curie", 3)],
)  # fmt: skip
def test_parameters_at_their_limits_are_taken_as_annif_takes_them(client: TestClient, form: str, count: int) -> None:
    answer = client.post("/v1/projects/tiny-subjects/suggest", content=f"text=a+star{form}", headers=FORM)
    assert (answer.status_code, len(answer.json()["results"])) == (200, count)


def test_the_language_and_limits_of_a_batch_are_those_of_a_single_text(client: TestClient) -> None:
    path, documents = "/v1/projects/tiny-subjects/suggest-batch", {"documents": [{"text": "star", "metadata": {}}]}
    (found,) = client.post(f"{path}?limit=1&language=en", json=documents).json()
    assert (found["document_id"], len(found["results"])) == (None, 1)
    refused = client.post(f"{path}?language=fi", json=documents)
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "language")
    assert client.get("/v1").json() == client.get("/v1/").json()


def test_what_is_not_offered_is_an_error_that_the_client_shows(annif: AnnifClient) -> None:
    with pytest.raises(ValueError, match="no resource at this path"):
        annif.detect_language("a star", ["en", "fi"])
    with pytest.raises(ValueError, match="no resource at this path"):
        annif.learn("tiny-subjects", [])


def test_the_api_is_off_by_default(store: Store) -> None:
    with TestClient(create_app(Settings(artefacts=store.root, threads=1))) as client:
        assert client.get("/v1/projects").status_code == 404
