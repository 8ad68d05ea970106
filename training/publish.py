"""From fitted weights to a published artefact: export, quantize, thresholds, gates, golden papers, card."""

import importlib.metadata
import logging
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store.classifier import OnnxGraph
from model_store.cpus import usable_cpus
from model_store.golden import Golden, GoldenPaper
from model_store.labels import Label, slug
from model_store.manifest import FileEntry, Manifest, Provenance, Quantization
from model_store.papers import Encoding, Paper, PaperEncoder
from model_store.store import CARD, GOLDEN, GRAPH, TOKENIZER, Store
from training.card import card
from training.config import RunConfig
from training.corpus import Corpus
from training.export import export_graph, quantize, scheme
from training.metrics import quality
from training.network import SubjectNetwork
from training.report import draw
from training.thresholds import best_thresholds, uncertain_rule
from training.verify import Comparison, compare, graph_scores, hold_gates, hold_parity

_LOG = logging.getLogger("training")

_LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "numpy", "scikit-learn")
# Papers on which torch and the exported graph are compared.
_PARITY_PAPERS = 16


class Run(NamedTuple):
    """What publishing needs to know of a run."""

    folder: Path
    """Where pictures go; metrics.jsonl is read from `checkpoints` below it."""

    config: RunConfig
    text: str
    """The configuration, verbatim."""
    corpus: Corpus
    baseline: dict[str, float] | None


def publish(run: Run, network: SubjectNetwork, tokenizer: Tokenizer, store: Store) -> Path:
    """Publish the network as a new version and return its folder.

    Thresholds, figures and golden scores all come from the quantized graph, run as it is served.
    Raises GateError if that graph is not good enough, VersionExists if the version is taken.
    """
    encoder = PaperEncoder(tokenizer, run.config.input)
    encodings = encoder.encode(run.corpus.validation.papers)
    fp32 = export_graph(network)
    int8 = quantize(fp32, run.config.quantization)
    threads = usable_cpus()
    fp32_scores = graph_scores(OnnxGraph(fp32, threads), encodings, "fp32")
    hold_parity(network_scores(network, encodings[:_PARITY_PAPERS]), fp32_scores[:_PARITY_PAPERS])
    graph = OnnxGraph(int8, threads)
    scores = graph_scores(graph, encodings, "int8")
    found = compare(run.corpus.validation.targets, fp32_scores, scores, (len(fp32), len(int8)))
    _LOG.info("int8 against fp32: %s", found)
    hold_gates(found, run.config.gates)
    manifest = _manifest(run, scores, found)
    draw(
        run.folder / "report", manifest, run.corpus.validation.targets, scores, run.folder / "checkpoints/metrics.jsonl"
    )
    return store.publish(
        manifest,
        {
            GRAPH: int8,
            TOKENIZER: _plain(tokenizer).to_str().encode(),
            GOLDEN: _golden(run.config, encoder, graph).model_dump_json(indent=2).encode(),
            CARD: card(manifest).encode(),
        },
    )


def network_scores(network: SubjectNetwork, encodings: list[Encoding]) -> NDArray[np.float32]:
    """Probabilities of papers one by one, shape (papers, labels)."""
    rows = []
    with torch.no_grad():
        for encoding in encodings:
            ids = torch.tensor([encoding.input_ids])
            logits = network(ids, torch.ones_like(ids), torch.tensor([encoding.token_type_ids]))["logits"]
            rows.append(torch.sigmoid(logits)[0].numpy())
    return np.stack(rows)


def _manifest(run: Run, scores: NDArray[np.float32], found: Comparison) -> Manifest:
    config, targets = run.config, run.corpus.validation.targets
    thresholds = best_thresholds(targets, scores)
    labels = tuple(
        Label(id=slug(name), name=name, threshold=threshold)
        for name, threshold in zip(run.corpus.labels, thresholds, strict=True)
    )
    measured = quality(targets, scores, labels, config.seed).model_copy(update={"baseline": run.baseline})
    return Manifest(
        name=config.name,
        version=config.version,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        labels=labels,
        input=config.input,
        uncertain=uncertain_rule(targets, scores, thresholds, config.uncertain_share),
        quality=measured,
        quantization=Quantization(
            scheme=scheme(config.quantization),
            bytes_fp32=found.bytes_fp32,
            micro_f1_fp32=found.micro_f1_fp32,
            flipped=found.flipped,
            largest_change=found.largest_change,
        ),
        provenance=Provenance(
            base_encoder=Path(config.encoder.source).name,
            config=run.text,
            seed=config.seed,
            libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
            data=dict(run.corpus.report),
            git_commit=_git_commit(),
        ),
        licence=config.licence,
        limits=config.limits,
        # The store computes the checksums; the card only needs the size.
        files={GRAPH: FileEntry(bytes=found.bytes_int8, sha256="0" * 64)},
    )


def _golden(config: RunConfig, encoder: PaperEncoder, graph: OnnxGraph) -> Golden:
    papers = [Paper(golden.title, golden.abstract) for golden in config.golden]
    return Golden(
        tolerance=config.golden_tolerance,
        papers=tuple(
            GoldenPaper(title=paper.title, abstract=paper.abstract, scores=tuple(map(float, graph(encoding))))
            for paper, encoding in zip(papers, encoder.encode(papers), strict=True)
        ),
    )


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    # Padding and truncation of the pretrained file have no business in ours: the format decides.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _git_commit() -> str | None:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or None
