"""The Open Inference Protocol, version 2, REST part with JSON tensors
(https://github.com/kserve/open-inference-protocol), as implemented by KServe, Triton and their clients.

Inputs are the tensors `title` and `abstract`, one or both, of type BYTES and shape [papers]; outputs:

* `probabilities`, FP32 [papers, labels], and `assigned`, BOOL [papers, labels]: whether each label meets its threshold
* `status`, BYTES [papers]: ok, uncertain or out_of_scope
* `labels`, BYTES [labels]: the URI of each column, or `urn:paper-subjects:MODEL:ID` where a label has none

Errors are problem documents, as everywhere in this service, and have the member `error` that the protocol requires.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.dependencies import State, StateDep, WorkDep, checked_paper
from app.api.errors import NotFound, UnsupportedMediaType
from app.api.json_route import JsonRequest, JsonRoute
from app.api.openapi import API_VERSION
from app.api.results import label_uri, predicted, shortest
from app.api.schemas import PaperId, Text
from app.api.validation import invalid_field, invalid_request, too_large
from app.inference.engine import Prediction
from app.inference.errors import NotReady
from app.settings import Settings
from model_store.manifest import Manifest
from model_store.papers import Paper

_INPUTS = ("title", "abstract")
_OUTPUTS = ("probabilities", "assigned", "status", "labels")

# The binary extension of Triton: its value is the length of the JSON part of the body.
_BINARY_HEADER = "inference-header-content-length"


class TensorRequest(JsonRequest):
    """A request that may leave its content type out, as Triton's client does."""

    def check_content_type(self) -> None:
        """Raises UnsupportedMediaType for tensors in binary form and for a body declared as something else."""
        if _BINARY_HEADER in self.headers:
            raise UnsupportedMediaType(
                "Tensors in binary form are not supported; send them as JSON, with tritonclient by binary_data=False."
            )
        if "content-type" in self.headers:
            super().check_content_type()


class TensorRoute(JsonRoute):
    """Gives FastAPI a TensorRequest wherever an operation has a body."""

    request_class = TensorRequest


# TensorRequest checks content types.
router = APIRouter(include_in_schema=False, route_class=TensorRoute, strict_content_type=False)


class _Message(BaseModel):
    # The protocol lets clients add parameters and extensions, which servers may ignore.
    model_config = ConfigDict(strict=True, extra="ignore")


class TensorIn(_Message):
    """One input tensor."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=2)
    datatype: str
    data: list[Any]


class OutputIn(_Message):
    """One requested output."""

    name: str


class InferIn(_Message):
    """A request; without `outputs`, all outputs are returned."""

    id: PaperId | None = None
    inputs: list[TensorIn] = Field(min_length=1, max_length=len(_INPUTS))
    outputs: list[OutputIn] | None = Field(default=None, max_length=len(_OUTPUTS))


class _Texts(_Message):
    texts: list[Text]


async def served_model(name: str, state: StateDep, version: str | None = None) -> Manifest:
    """The manifest of the model in service; raises NotFound for any other name or version."""
    manifest = state["engine"].current.manifest
    if (name, version or manifest.version) != (manifest.name, manifest.version):
        raise NotFound("This model or version is not in service; GET /model names the one in service.")
    return manifest


ServedModel = Annotated[Manifest, Depends(served_model)]


@router.get("/v2")
async def server_metadata(state: StateDep) -> dict[str, object]:
    """Name and version of the server."""
    return {"name": "paper-subjects", "version": API_VERSION, "extensions": []}


@router.get("/v2/health/live")
async def live(state: StateDep) -> dict[str, bool]:
    """As /livez."""
    if not state["engine"].alive:
        raise NotReady("The engine stalled and cannot recover; restart the process.", retry_after_s=10)
    return {"live": True}


@router.get("/v2/health/ready")
async def ready(state: StateDep) -> dict[str, bool]:
    """As /readyz."""
    if reason := state["engine"].health.unready_reason():
        raise reason
    return {"ready": True}


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def model_metadata(manifest: ServedModel) -> dict[str, object]:
    """Inputs and outputs of the model."""
    labels = len(manifest.labels)
    shapes = {"probabilities": ("FP32", [-1, labels]), "assigned": ("BOOL", [-1, labels]), "status": ("BYTES", [-1])}
    outputs = {**shapes, "labels": ("BYTES", [labels])}
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in _INPUTS],
        "outputs": [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in outputs.items()],
    }


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(manifest: ServedModel, state: StateDep) -> dict[str, object]:
    """As /readyz, for the model in service."""
    await ready(state)
    return {"name": manifest.name, "ready": True}


@router.post("/v2/models/{name}/infer")
@router.post("/v2/models/{name}/versions/{version}/infer")
async def infer(manifest: ServedModel, request: InferIn, state: StateDep, work: WorkDep) -> dict[str, object]:
    """The outputs for all papers of the tensors; one invalid paper fails the whole request."""
    requested = [output.name for output in request.outputs or ()] or list(_OUTPUTS)
    if unknown := set(requested) - set(_OUTPUTS):
        index = next(i for i, name in enumerate(requested) if name in unknown)
        raise invalid_field(f"#/outputs/{index}/name", f"expected one of {', '.join(_OUTPUTS)}")
    answer = await work.classify(_papers(request, state))
    predictions = [predicted(outcome, f"#/inputs/0/data/{i}") for i, outcome in enumerate(answer.outcomes)]
    outputs = _outputs(predictions, answer.manifest)
    return {
        "model_name": answer.manifest.name,
        "model_version": answer.manifest.version,
        **({} if request.id is None else {"id": request.id}),
        "outputs": [{"name": name, **outputs[name]} for name in requested],
    }


def _papers(request: InferIn, state: State) -> list[Paper]:
    texts: dict[str, list[str]] = {}
    for i, tensor in enumerate(request.inputs):
        if tensor.name not in _INPUTS or tensor.name in texts:
            raise invalid_field(f"#/inputs/{i}/name", "expected title or abstract, each at most once")
        texts[tensor.name] = _texts(tensor, f"#/inputs/{i}", state["settings"])
    counts = {len(column) for column in texts.values()}
    if len(counts) > 1:
        raise invalid_field("#/inputs", "title and abstract must have the same number of papers")
    (count,) = counts
    columns = [texts.get(name, [""] * count) for name in _INPUTS]
    pointer = "#/inputs/0/data"
    return [
        checked_paper(title, abstract, state["settings"], f"{pointer}/{i}")
        for i, (title, abstract) in enumerate(zip(*columns, strict=True))
    ]


def _texts(tensor: TensorIn, pointer: str, settings: Settings) -> list[str]:
    """The strings of one tensor of shape [papers] or [papers, 1], flat or nested; raises InvalidRequest."""
    if len(tensor.data) > settings.max_papers:
        raise too_large(f"{pointer}/data", "papers", settings.max_papers, len(tensor.data))
    if tensor.datatype != "BYTES":
        raise invalid_field(f"{pointer}/datatype", "expected BYTES")
    if tensor.shape not in ([len(tensor.data)], [len(tensor.data), 1]) or not tensor.data:
        raise invalid_field(f"{pointer}/shape", "expected [papers] or [papers, 1], with as many papers as in `data`")
    flat = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in tensor.data]
    try:
        texts = _Texts(texts=flat).texts
    except ValidationError as error:
        errors = [{**field, "loc": field["loc"][1:]} for field in error.errors(include_url=False, include_input=False)]
        raise invalid_request(errors, f"{pointer}/data") from None
    limit = settings.max_title_chars if tensor.name == "title" else settings.max_abstract_chars
    for i, text in enumerate(texts):
        if len(text) > limit:
            raise too_large(f"{pointer}/data/{i}", "characters", limit, len(text))
    return texts


def _outputs(predictions: list[Prediction], manifest: Manifest) -> dict[str, dict[str, object]]:
    papers, labels = len(predictions), len(manifest.labels)
    scores = [prediction.scored.output.scores for prediction in predictions]
    assigned = [label in prediction.decision.labels for prediction in predictions for label in range(labels)]
    return {
        "probabilities": {
            "datatype": "FP32", "shape": [papers, labels], "data": [shortest(p) for row in scores for p in row],
        },
        "assigned": {"datatype": "BOOL", "shape": [papers, labels], "data": assigned},
        "status": {
            "datatype": "BYTES", "shape": [papers], "data": [prediction.decision.status for prediction in predictions],
        },
        "labels": {
            "datatype": "BYTES", "shape": [labels], "data": [label_uri(label, manifest) for label in manifest.labels],
        },
    }  # fmt: skip
