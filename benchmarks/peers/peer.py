"""The peers: what each installs, how it is started, how a paper is sent to it and what it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_store.papers import Paper

TORCH = ("torch==2.13.0", "transformers==5.23.0")
SERVICE = "this service"
SERVICE_WITHOUT_EXITS = "this service, without early exits"
TORCH_FP32 = "FastAPI, torch fp32"
TORCH_INT8 = "FastAPI, torch dynamic int8"
# These are no servers.
LOOP = "graph in a loop"
LOOP_WITHOUT_EXITS = "graph in a loop, without early exits"
LOOP_FP32 = "onnxruntime fp32 in a loop"
_MODULE = "benchmarks.peers.servers"
Scores = dict[str, float]


@dataclass(frozen=True)
class Server:
    """How to start a peer: a command and what it needs in its environment."""

    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def _plain_body(paper: Paper) -> dict[str, Any]:
    return {"title": paper.title, "abstract": paper.abstract}


def _plain_scores(answer: Any) -> Scores:
    return dict(answer["probabilities"])


@dataclass(frozen=True)
class Peer:
    """One way to serve the network over HTTP."""

    name: str
    packages: tuple[str, ...]
    """Pinned; installed into an environment of their own. None for the service itself, which has `requirements/`."""
    server: Callable[[Path, int], Server]
    """From the model folder and a port; the command starts with a program of the peer's environment."""
    path: str = "/classify"
    body: Callable[[Paper], Any] = _plain_body
    scores: Callable[[Any], Scores] = _plain_scores
    note: str = ""

    def request(self, paper: Paper) -> bytes:
        """The JSON body for one paper."""
        return json.dumps(self.body(paper)).encode()


def peers(artefacts: Path, model: str, version: str) -> tuple[Peer, ...]:
    """This service with an artefact, and the other ways to serve its network."""
    return (
        service(SERVICE, artefacts, model, version),
        Peer(TORCH_FP32, (*TORCH, "fastapi==0.165.0", "uvicorn==0.54.0"), _python("fastapi_server", "fp32")),
        Peer(TORCH_INT8, (*TORCH, "fastapi==0.165.0", "uvicorn==0.54.0"), _python("fastapi_server", "int8")),
        Peer("LitServe, torch fp32", (*TORCH, "litserve==0.2.19"), _python("litserve_server")),
        Peer("BentoML, torch fp32", (*TORCH, "bentoml==1.4.40"), _bentoml),
        Peer("Ray Serve, torch fp32", (*TORCH, "ray[serve]==2.60.0"), _python("ray_server")),
        *(
            Peer(
                f"infinity, {engine}",
                (TORCH[0], "infinity-emb[server,torch,optimum]==0.0.78"),
                _infinity(engine),
                path="/classify",
                body=lambda paper: {"model": "papers", "input": [_text(paper)]},
                scores=lambda answer: {score["label"]: score["score"] for score in answer["data"][0]},
                note="title and abstract as one text",
            )
            for engine in ("torch", "optimum")
        ),
        Peer(
            "MLServer, Hugging Face runtime",
            (TORCH[0], "mlserver==1.7.1", "mlserver-huggingface==1.7.1"),
            _mlserver,
            path="/v2/models/papers/infer",
            body=_tensor,
            scores=_from_tensor,
            note="title and abstract as one text",
        ),
    )


def service(name: str, artefacts: Path, model: str, version: str) -> Peer:
    """This service with an artefact of a store."""

    def server(_: Path, port: int) -> Server:
        settings = {"PORT": str(port), "ARTEFACTS": str(artefacts.resolve()), "MODEL": model, "VERSION": version}
        return Server(("python", "-m", "app"), {f"PAPERS_{name}": value for name, value in settings.items()})

    return Peer(name, (), server)


def _python(module: str, *arguments: str) -> Callable[[Path, int], Server]:
    return lambda folder, port: Server(("python", "-m", f"{_MODULE}.{module}", str(folder), str(port), *arguments))


def _bentoml(folder: Path, port: int) -> Server:
    command = ("bentoml", "serve", f"{_MODULE}.bentoml_server:Papers", "--host", "127.0.0.1", "--port", str(port))
    return Server(command, {"MODEL_FOLDER": str(folder), "BENTOML_DO_NOT_TRACK": "True"})


def _infinity(engine: str) -> Callable[[Path, int], Server]:
    def server(folder: Path, port: int) -> Server:
        command = ("infinity_emb", "v2", "--model-id", str(folder), "--served-model-name", "papers")
        options = ("--engine", engine, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port))
        return Server(
            (*command, *options, "--no-bettertransformer"),
            {"INFINITY_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"},
        )

    return server


def _mlserver(folder: Path, port: int) -> Server:
    settings = folder.with_name("mlserver")
    settings.mkdir(exist_ok=True)
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    (settings / "settings.json").write_text(
        json.dumps({"host": "127.0.0.1", **ports, "metrics_dir": str(settings / "metrics")})
    )
    extra = {"task": "text-classification", "pretrained_model": str(folder), "pretrained_tokenizer": str(folder)}
    (settings / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "papers",
                "implementation": "mlserver_huggingface.HuggingFaceRuntime",
                "parameters": {"extra": extra},
            }
        )
    )
    return Server(("mlserver", "start", str(settings)), {"HF_HUB_OFFLINE": "1"})


def _text(paper: Paper) -> str:
    return f"{paper.title} [SEP] {paper.abstract}" if paper.abstract else paper.title


def _tensor(paper: Paper) -> dict[str, Any]:
    text = {
        "name": "args",
        "shape": [1],
        "datatype": "BYTES",
        "data": [_text(paper)],
        "parameters": {"content_type": "str"},
    }
    # The pipeline gives the most probable label alone unless it is asked for all.
    every = {
        "name": "top_k",
        "shape": [1],
        "datatype": "BYTES",
        "data": ["null"],
        "parameters": {"content_type": "hg_json"},
    }
    return {"inputs": [text, every]}


def _from_tensor(answer: Any) -> Scores:
    found = json.loads(answer["outputs"][0]["data"][0])
    return {score["label"]: score["score"] for score in (found if isinstance(found, list) else [found])}
