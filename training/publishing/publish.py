"""From fitted weights to a published artefact: export → quantize → calibrate, choose and measure → write."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tqdm import tqdm

from model_store.artefact import CARD, GOLDEN, TOKENIZER
from model_store.cpus import usable_cpus
from model_store.graph import Graph
from model_store.manifest import Manifest, Quality, Scope
from model_store.papers import Encoding, Paper, PaperEncoder
from model_store.store import Store
from training.config import PublishConfig, RunConfig, ScopeConfig
from training.errors import ConfigError
from training.model.imported import Network
from training.publishing.artefact_plots import draw
from training.publishing.card import LABELS, RELIABILITY, card
from training.publishing.contents import describe, golden, graph_of, part_name, plain_tokenizer
from training.publishing.edition import Edition
from training.publishing.export import export_parts
from training.publishing.findings import Findings, find, test_quality, validation_quality
from training.publishing.gates import check_parity
from training.publishing.measurement import GraphParts, Measurement, title_only
from training.publishing.quantization import Quantized, quantize_within_gates
from training.publishing.scope import (
    Detector,
    Distances,
    States,
    Text,
    at_several_lengths,
    fit_detector,
    outliers,
    read_texts,
    scope,
)
from training.publishing.served_graph import served_graph
from training.run import TrainingRun

_LOG = logging.getLogger("training")

PARITY_PAPERS = 16
"""Papers on which every stage is compared with the one before it."""


class _Measured(NamedTuple):
    """What the quantized graph computes."""

    whole: Measurement
    titles: Measurement
    detector: Detector | None
    scope: Scope | None


def publish(run: TrainingRun, edition: Edition, tokenizer: Tokenizer, store: Store) -> Path:
    """Publish an edition and return the artefact's folder.

    Calibration, thresholds, scope, exits, figures and golden scores all come from the quantized graph, one paper per
    run, as it is served. Raises VersionExists if the version is taken, and GateError for a broken export or, if the
    gates are strict, for a missed gate.
    """
    store.check_free(edition.name, edition.version)
    config, encoder = run.config, PaperEncoder(tokenizer, edition.input)
    encodings = encoder.encode(edition.validation.papers)
    layer = _scope_layer(config, edition)
    targets = edition.validation.targets
    quantized = export_quantized(edition.network, encodings, targets, config, layer, edition.exit_layers)
    measured = _measure(run, edition, quantized, encoder, layer)
    findings = find(edition, measured.whole, measured.titles, config)
    quality = validation_quality(edition, findings, config)
    manifest = describe(run, edition, findings, quantized, measured.scope, quality)
    files = _graphs(edition, layer, quantized, findings, measured.detector)
    served = graph_of(manifest, files)
    check_parity(
        findings.scores[:PARITY_PAPERS], served_scores(served, encodings[:PARITY_PAPERS]), "the calibrated graph"
    )
    manifest = manifest.model_copy(update={"test": _test(edition, served, encoder, findings, config)})
    pictures = _draw(run, edition, manifest, findings)
    files |= {
        TOKENIZER: plain_tokenizer(tokenizer),
        GOLDEN: golden(config, encoder, manifest, files).model_dump_json(indent=2).encode(),
        CARD: card(manifest).encode(),
        **pictures,
    }
    return store.publish(manifest, files)


def _scope_layer(config: RunConfig, edition: Edition) -> int:
    """The layer whose states the out-of-scope detector reads; no exit may come before it."""
    first_exit = min(edition.exit_layers, default=edition.layers)
    layer = None if config.scope is None else config.scope.layer
    if layer is None:
        return min(edition.layers // 2, first_exit)
    if layer > first_exit:
        what = "first exit is after layer" if edition.exit_layers else "encoder has layers up to"
        raise ConfigError(f"[scope] layer is {layer}, but the {what} {first_exit}; name that or a lower one")
    return layer


def export_quantized(
    network: Network,
    encodings: Sequence[Encoding],
    targets: NDArray[np.float32] | None,
    config: PublishConfig,
    layer: int | None = None,
    exit_layers: Sequence[int] = (),
) -> Quantized:
    """The quantized graph of a network, which papers, and their targets if they have labels, compared with fp32.

    Raises GateError as `publish` does.
    """
    parts = export_parts(network, layer, exit_layers)
    fp32 = GraphParts(parts).measure(encodings, "fp32")
    check_parity(network_scores(network, encodings[:PARITY_PAPERS]), fp32.scores[:PARITY_PAPERS])
    return quantize_within_gates(parts, fp32, encodings, targets, config)


def _measure(run: TrainingRun, edition: Edition, quantized: Quantized, encoder: PaperEncoder, layer: int) -> _Measured:
    graph, config = GraphParts(quantized.parts), run.config
    titles = graph.measure(
        encoder.encode([_title(paper, encoder) for paper in edition.validation.papers]), "titles alone"
    )
    if config.scope is None:
        return _Measured(quantized.whole, titles, None, None)
    # Noise such as "?!?" leaves nothing to score where texts are prepared as plain text.
    texts = [text for text in read_texts() if encoder.has_text(text.paper)]
    detector = _fit_detector(run, config.scope, graph, encoder, texts)
    unlike = graph.measure(encoder.encode([text.paper for text in texts]), "texts out of scope")
    distances = Distances(detector(quantized.whole.states), detector(titles.states))
    rule = scope(distances, texts, detector(unlike.states), layer, config.scope, config.seed)
    return _Measured(quantized.whole, titles, detector, rule)


def _title(paper: Paper, encoder: PaperEncoder) -> Paper:
    title = Paper(paper.title)
    return title if encoder.has_text(title) else paper


def _fit_detector(
    run: TrainingRun, config: ScopeConfig, graph: GraphParts, encoder: PaperEncoder, texts: Sequence[Text]
) -> Detector:
    papers = run.corpus.train.papers
    drawn = np.random.default_rng(run.config.seed).permutation(len(papers))[: config.papers]

    def states(papers: Sequence[Paper], description: str) -> States:
        return graph.measure(encoder.encode([paper for paper in papers if encoder.has_text(paper)]), description).states

    in_scope = states(at_several_lengths(papers[i] for i in drawn), "papers in scope")
    detector = fit_detector(in_scope)
    return detector.fitted_with_outliers(in_scope, states(outliers(texts), "outliers")) if config.outliers else detector


def _graphs(
    edition: Edition, layer: int, quantized: Quantized, findings: Findings, detector: Detector | None
) -> dict[str, bytes]:
    """The parts as they are served, by file name; only the exits that were chosen are left."""
    heads = findings.exits.rule.heads if findings.exits else ()
    parts = quantized.parts
    if len(heads) + 1 < len(parts):
        exported = export_parts(edition.network, layer, [edition.exit_layers[head] for head in heads])
        parts = [quantized.scheme.quantize(part) for part in exported]
    lines = [findings.lines[head] for head in heads] + [findings.lines[-1]]
    chunked = edition.network.chunks is not None
    return {
        # The states that the distance needs are in the first part.
        part_name(i): served_graph(part, line, detector if i == 0 else None, chunked=chunked)
        for i, (part, line) in enumerate(zip(parts, lines, strict=True))
    }


def _test(
    edition: Edition, served: Graph, encoder: PaperEncoder, findings: Findings, config: RunConfig
) -> Quality | None:
    if edition.test is None:
        return None
    encodings = encoder.encode(edition.test.papers)
    scores = served_scores(served, encodings, "test papers")
    return test_quality(edition, scores, title_only(encodings), findings.labels, config)


def served_scores(graph: Graph, encodings: Sequence[Encoding], description: str | None = None) -> NDArray[np.float32]:
    """Scores as they are served, shape (papers, labels)."""
    with ThreadPoolExecutor(usable_cpus()) as pool:
        outputs = pool.map(graph, encodings)
        bar = tqdm(outputs, description, len(encodings), unit="paper", mininterval=5, disable=description is None)
        return np.stack([output.scores for output in bar])


def _draw(run: TrainingRun, edition: Edition, manifest: Manifest, findings: Findings) -> dict[str, bytes]:
    folder = run.dir.report if edition.name == run.config.name else run.dir.report / edition.name
    targets = edition.validation.targets
    draw(folder, manifest, targets, findings.uncalibrated, findings.held_out, run.dir.metrics)
    return {name: (folder / name).read_bytes() for name in (LABELS, RELIABILITY)}


def network_scores(network: Network, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
    """Probabilities by torch, paper by paper, shape (papers, labels)."""
    rows = []
    with torch.no_grad():
        for encoding in encodings:
            inputs = (torch.from_numpy(array) for array in encoding.rows())
            rows.append(torch.sigmoid(network(*inputs)["logits"])[0].numpy())
    return np.stack(rows)
