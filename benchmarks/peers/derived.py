"""Artefacts that are derived from another one, to measure the effect of its parts."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from model_store.artefact import GOLDEN, GRAPH, Artefact
from model_store.graph import PROBABILITIES, ExitingGraph, OnnxGraph
from model_store.manifest import Manifest
from model_store.store import Store

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OPSET = 18


def without_exits(artefact: Artefact, store: Store) -> Artefact:
    """The same network without early exits; published in `store` unless it is there already."""
    if not _is_published(artefact, store):
        *exits, last = artefact.manifest.exits
        closed = [exit_.model_copy(update={"margin": sys.float_info.max, "title_margin": None}) for exit_ in exits]
        _publish(artefact.manifest.model_copy(update={"exits": (*closed, last)}), artefact, artefact.files, store)
    return store.open(artefact.manifest.name)


def in_fp32(artefact: Artefact, folder: Path, store: Store) -> Artefact:
    """The network of a folder (see `model_folder`) as torch exports it; published in `store` unless it exists."""
    if not _is_published(artefact, store):
        files = {name: content for name, content in artefact.files.items() if not name.endswith(".onnx")}
        graph = _exported(folder)
        _publish(artefact.manifest.model_copy(update={"exits": ()}), artefact, files | {GRAPH: graph}, store)
    return store.open(artefact.manifest.name)


def _is_published(artefact: Artefact, store: Store) -> bool:
    return artefact.manifest.name in store.names()


def _publish(manifest: Manifest, source: Artefact, files: Mapping[str, bytes], store: Store) -> None:
    """Publish with the golden scores that this network gives."""
    graph = ExitingGraph(manifest, files) if manifest.exits else OnnxGraph(files[GRAPH])
    golden = source.golden()
    encodings = source.classifier().encode([paper.paper for paper in golden.papers])
    papers = [
        paper.model_dump() | {"scores": graph(encoding).scores.tolist()}
        for paper, encoding in zip(golden.papers, encodings, strict=True)
    ]
    document = json.dumps({"tolerance": golden.tolerance, "papers": papers})
    store.publish(manifest, {**files, GOLDEN: document.encode()})


class _Probabilities(nn.Module):
    """The network with its sigmoid."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # With eager attention the exporter makes a shorter and faster graph than with the fused one.
        self._network = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager", trust_remote_code=True
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return torch.sigmoid(self._network(**inputs).logits)


def _exported(folder: Path) -> bytes:
    # The exporter would take one tensor passed twice for one input, so each input has its own.
    example = tuple(torch.full((2, 16), fill, dtype=torch.long) for fill in (1, 1, 0))
    named = {0: torch.export.Dim("papers", min=1, max=4096), 1: torch.export.Dim("tokens", min=3, max=512)}
    alike = dict.fromkeys(named, torch.export.Dim.AUTO)
    program = torch.onnx.export(
        _Probabilities(folder).eval(),
        example,
        input_names=_INPUTS,
        output_names=[PROBABILITIES],
        dynamic_shapes=(named, alike, alike),
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
