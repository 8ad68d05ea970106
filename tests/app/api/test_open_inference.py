"""The Open Inference Protocol, used by a client that is generated from its specification."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from open_inference.openapi import InferenceRequest
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store

MODEL = "tiny-subjects"
INFER = f"/v2/models/{MODEL}/infer"
TITLES = ["A quantum algorithm", "a proof of the theorem"]


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(artefacts=store.root, threads=1, open_inference_api=True))) as client:
        yield client


@pytest.fixture
def inference(client: TestClient) -> OpenInferenceClient:
    return OpenInferenceClient(base_url="http://testserver", httpx_client=client)  # type: ignore[arg-type]


def tensor(name: str, texts: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": texts} | changes


def test_the_client_finds_a_live_and_ready_server_with_one_model(inference: OpenInferenceClient) -> None:
    inference.check_server_liveness()
    inference.check_server_readiness()
    inference.check_model_readiness(MODEL)
    inference.check_model_version_readiness(MODEL, "1.0.0")
    assert inference.read_server_metadata().name == "paper-subjects"
    described = inference.read_model_metadata(MODEL)
    assert described == inference.read_model_version_metadata(MODEL, "1.0.0")
    assert [tensor.name for tensor in described.inputs or []] == ["title", "abstract"]


def test_other_models_and_versions_are_not_found(inference: OpenInferenceClient) -> None:
    for model, version in (("resnet", "1.0.0"), (MODEL, "9.9.9")):
        with pytest.raises(ApiError, match="404"):
            inference.read_model_version_metadata(model, version)


def test_inferred_outputs_are_those_of_classify(client: TestClient, inference: OpenInferenceClient) -> None:
    papers = [{"title": title, "abstract": "We star."} for title in TITLES]
    expected = client.post("/classify/batch", json={"papers": papers}).json()["results"]
    inputs = [tensor("title", TITLES), tensor("abstract", ["We star."] * 2)]
    request = InferenceRequest.parse_obj({"id": "shelf-7", "inputs": inputs})
    answer = inference.model_version_infer(MODEL, "1.0.0", request=request)
    outputs = {output.name: output.dict() for output in answer.outputs}
    assert (answer.id, answer.model_name, answer.model_version) == ("shelf-7", MODEL, "1.0.0")
    assert outputs["probabilities"]["shape"] == [2, 3]
    assert outputs["probabilities"]["data"] == [p for result in expected for p in result["probabilities"].values()]
    names = list(expected[0]["probabilities"])
    assert outputs["assigned"]["data"] == [name in result["labels"] for result in expected for name in names]
    assert outputs["status"]["data"] == [result["status"] for result in expected]
    assert outputs["labels"]["data"][1] == "urn:paper-subjects:tiny-subjects:physics"


def test_only_requested_outputs_are_returned(inference: OpenInferenceClient) -> None:
    inputs = [tensor("title", [["star"]], shape=[1, 1])]
    request = InferenceRequest.parse_obj({"inputs": inputs, "outputs": [{"name": "status"}]})
    assert [output.name for output in inference.model_infer(MODEL, request=request).outputs] == ["status"]


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ([], "#/inputs"), ([tensor("text", ["a"])], "#/inputs/0/name"),
        ([tensor("title", ["a"]), tensor("title", ["b"])], "#/inputs/1/name"),
        ([tensor("title", ["a"], datatype="FP32")], "#/inputs/0/datatype"),
        ([tensor("title", ["a"], shape=[2])], "#/inputs/0/shape"), ([tensor("title", [])], "#/inputs/0/shape"),
        ([tensor("title", ["a", 7])], "#/inputs/0/data/1"), ([tensor("title", ["a", "\x00"])], "#/inputs/0/data/1"),
        ([tensor("title", ["a", " "])], "#/inputs/0/data/1"), ([tensor("title", ["a"] * 65)], "#/inputs/0/data"),
        ([tensor("title", ["a", "b"]), tensor("abstract", ["c"])], "#/inputs"),
        ([tensor("title", ["a"], data="a")], "#/inputs/0/data"),
        ([tensor("abstract", ["a", "b"]), tensor("title", ["a", "a" * 2_001])], "#/inputs/1/data/1"),
        ([tensor("title", ["a"]), tensor("abstract", [["a" * 100_001]])], "#/inputs/1/data/0"),
    ],
)  # fmt: skip
def test_invalid_tensors_are_a_422_that_points_there(client: TestClient, inputs: list[Any], pointer: str) -> None:
    answer = client.post(INFER, json={"inputs": inputs})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_null_means_absent_for_what_may_be_left_out(client: TestClient) -> None:
    document = {"id": None, "parameters": None, "inputs": [tensor("title", ["star"])], "outputs": None}
    answer = client.post(INFER, json=document)
    assert answer.status_code == 200
    assert [output["name"] for output in answer.json()["outputs"]] == ["probabilities", "assigned", "status", "labels"]
    assert "id" not in answer.json()


def test_an_unknown_output_and_a_binary_body_are_refused(client: TestClient) -> None:
    document = {"inputs": [tensor("title", ["star"])], "outputs": [{"name": "status"}, {"name": "logits"}]}
    assert client.post(INFER, json=document).json()["errors"][0]["pointer"] == "#/outputs/1/name"
    binary = client.post(INFER, content=b"\x00", headers={"content-type": "application/octet-stream"})
    assert binary.status_code == 415


def test_a_request_without_a_content_type_is_read_as_triton_client_sends_it(client: TestClient) -> None:
    document = {
        "id": "1", "parameters": {"binary_data_output": True, "priority": 1},
        "inputs": [tensor("title", ["star"], parameters={"binary_data": False})],
        "outputs": [{"name": "status", "parameters": {"binary_data": True, "classification": 3}}],
    }  # fmt: skip
    answer = client.post(INFER, content=json.dumps(document).encode())
    assert "content-type" not in answer.request.headers
    assert (answer.status_code, answer.json()["id"]) == (200, "1")
    assert answer.json()["outputs"][0]["data"] == ["ok"]


def test_tensors_in_binary_form_are_refused_with_what_to_do(client: TestClient) -> None:
    document = json.dumps({"inputs": [{"name": "title", "shape": [1], "datatype": "BYTES"}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(document))}
    answer = client.post(INFER, content=document + b"\x04\x00\x00\x00star", headers=headers)
    assert answer.status_code == 415
    assert "binary_data=False" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v2/models/resnet", None, 404),
        (INFER, b"{", 400),
        (INFER, b'{"inputs": []}', 422),
        ("/v2/nothing", None, 404),
        ("/v2", b"{}", 405),
    ],
)
def test_errors_have_the_member_that_clients_of_the_protocol_read(
    client: TestClient, path: str, content: bytes | None, status: int
) -> None:
    answer = client.request("GET" if content is None else "POST", path, content=content)
    assert answer.status_code == status
    assert answer.json()["error"] == answer.json()["detail"]
    assert "error" not in client.get("/v1/nothing").json()


def test_the_api_is_off_by_default(store: Store) -> None:
    with TestClient(create_app(Settings(artefacts=store.root, threads=1))) as client:
        assert client.get("/v2/health/live").status_code == 404
