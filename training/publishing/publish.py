"""From fitted weights to a published artefact: export, quantize, calibrate, scope, thresholds, gates, golden papers."""

import importlib.metadata
import logging
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tqdm import tqdm

from model_store.classifier import PROBABILITIES, OnnxGraph
from model_store.cpus import usable_cpus
from model_store.golden import Golden, GoldenPaper
from model_store.labels import Label, slug
from model_store.manifest import (
    Calibration,
    FileEntry,
    Manifest,
    Provenance,
    Quality,
    Quantization,
    Scope,
    ThresholdAim,
    TitleQuality,
)
from model_store.papers import Encoding, Paper, PaperEncoder
from model_store.store import CARD, GOLDEN, GRAPH, TOKENIZER, Store
from training.config import RunConfig, ScopeConfig
from training.errors import ConfigError
from training.evaluation.metrics import mean_average_precision, micro_f1, quality
from training.model.graft import graft
from training.model.network import SubjectNetwork
from training.publishing.calibration import calibration, calibration_errors, fit_lines, held_out_by_method, mean_error
from training.publishing.card import LABELS, RELIABILITY, card
from training.publishing.export import export_graph
from training.publishing.graph_writer import FEATURES
from training.publishing.quantization import quantize, scheme
from training.publishing.report import draw
from training.publishing.scope import Detector, Distances, at_several_lengths, fit_detector, read_texts, scope
from training.publishing.thresholds import choose, held_out_decisions, uncertain_rule
from training.publishing.verify import Comparison, compare, graph_scores, hold_gates, hold_parity
from training.run import TrainingRun

_LOG = logging.getLogger("training")

_LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "numpy", "scikit-learn")
# Papers on which torch and the exported graph are compared.
_PARITY_PAPERS = 16


class Seen(NamedTuple):
    """What the quantized graph says of some papers, before calibration."""

    scores: NDArray[np.float32]
    """Shape (papers, labels)."""
    features: NDArray[np.float32]
    """Mean hidden states, shape (papers, hidden)."""
    tokens: NDArray[np.int64]
    """Word pieces, special ones included, shape (papers,)."""


def publish(
    run: TrainingRun, network: SubjectNetwork, tokenizer: Tokenizer, baseline: dict[str, float] | None, store: Store
) -> Path:
    """Publish the network as a new version and return its folder.

    Calibration, thresholds, scope, figures and golden scores all come from the quantized graph, run as
    it is served. Raises GateError if that graph is not good enough, VersionExists if the version is taken.
    """
    store.check_free(run.config.name, run.config.version)
    config, validation = run.config, run.corpus.validation
    encoder = PaperEncoder(tokenizer, config.input)
    encodings = encoder.encode(validation.papers)
    layer = _layer(config, network)
    fp32 = export_graph(network, layer)
    bare = quantize(fp32, config.quantization)
    threads = usable_cpus()
    fp32_scores = graph_scores(OnnxGraph(fp32, threads), encodings, "fp32")
    hold_parity(network_scores(network, encodings[:_PARITY_PAPERS]), fp32_scores[:_PARITY_PAPERS])

    graph = OnnxGraph(bare, threads)
    whole = _see(graph, encodings, "int8")
    titles = _see(graph, encoder.encode([_title(paper) for paper in validation.papers]), "titles alone")
    lines = fit_lines(validation.targets, whole.scores, config.calibration.method)
    detector = None if config.scope is None else _learn_scope(run, config.scope, graph, encoder)
    int8 = graft(bare, lines, detector, chunked=network.chunks is not None)
    scores, title_scores = lines(whole.scores), lines(titles.scores)
    served = OnnxGraph(int8, threads)
    hold_parity(
        scores[:_PARITY_PAPERS], graph_scores(served, encodings[:_PARITY_PAPERS], "as served"), "the calibrated graph"
    )

    found = compare(validation.targets, lines(fp32_scores), scores, (len(fp32), len(int8)))
    _LOG.info("int8 against fp32: %s", found)
    hold_gates(found, config.gates)
    held_out = held_out_by_method(validation.targets, whole.scores, config.seed)
    findings = Findings(
        scores=scores,
        title_scores=title_scores,
        calibration=calibration(validation.targets, held_out, _ids(run), config.calibration.method, lines, config.seed),
        held_out=held_out[config.calibration.method],
        scope=None
        if detector is None or config.scope is None
        else _scope(config, config.scope, detector, layer, whole, titles, graph, encoder),
    )
    manifest = _manifest(run, findings, found, baseline)
    draw(
        run.dir.report,
        manifest,
        validation.targets,
        whole.scores,
        findings.held_out,
        run.dir.metrics,
    )
    return store.publish(
        manifest,
        {
            GRAPH: int8,
            TOKENIZER: _plain(tokenizer).to_str().encode(),
            GOLDEN: _golden(config, encoder, served).model_dump_json(indent=2).encode(),
            CARD: card(manifest).encode(),
            **{name: (run.dir.report / name).read_bytes() for name in (LABELS, RELIABILITY)},
        },
    )


class Findings(NamedTuple):
    """What was found on the validation papers; arrays have shape (papers, labels)."""

    scores: NDArray[np.floating]
    """Calibrated, as served."""
    title_scores: NDArray[np.floating]
    """The same papers without their abstracts."""
    held_out: NDArray[np.floating]
    """Calibrated on the other folds."""
    calibration: Calibration
    scope: Scope | None


def _layer(config: RunConfig, network: SubjectNetwork) -> int:
    layers = int(network.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    layer = None if config.scope is None else config.scope.layer
    if layer is not None and layer > layers:
        raise ConfigError(f"[scope] layer is {layer}, the encoder has {layers}; name one of them, or leave it out")
    return layers // 2 if layer is None else layer


def _title(paper: Paper) -> Paper:
    return Paper(paper.title) if paper.title.strip() else paper


def _ids(run: TrainingRun) -> list[str]:
    return [slug(name) for name in run.corpus.labels]


def _see(graph: OnnxGraph, encodings: Sequence[Encoding], what: str) -> Seen:
    bar = tqdm(encodings, desc=what, unit="paper", mininterval=5)
    rows = [graph.run(encoding, [PROBABILITIES, FEATURES]) for encoding in bar]
    scores, features = (np.stack(column) for column in zip(*rows, strict=True))
    return Seen(scores, features, np.array([len(encoding.input_ids) for encoding in encodings]))


def _learn_scope(run: TrainingRun, config: ScopeConfig, graph: OnnxGraph, encoder: PaperEncoder) -> Detector:
    papers = run.corpus.train.papers
    drawn = np.random.default_rng(run.config.seed).permutation(len(papers))[: config.papers]
    seen = _see(graph, encoder.encode(at_several_lengths(papers[i] for i in drawn)), "what is in scope")
    return fit_detector(seen.features, seen.tokens)


def _scope(
    config: RunConfig,
    wanted: ScopeConfig,
    detector: Detector,
    layer: int,
    whole: Seen,
    titles: Seen,
    graph: OnnxGraph,
    encoder: PaperEncoder,
) -> Scope:
    texts = read_texts()
    strange = _see(graph, encoder.encode([text.paper for text in texts]), "what is out of scope")
    return scope(
        Distances(detector(whole.features, whole.tokens), detector(titles.features, titles.tokens)),
        texts,
        detector(strange.features, strange.tokens),
        layer,
        wanted.false_alarms,
        config.seed,
    )


def network_scores(network: SubjectNetwork, encodings: list[Encoding]) -> NDArray[np.float32]:
    """Probabilities of papers one by one, shape (papers, labels)."""
    rows = []
    with torch.no_grad():
        for encoding in encodings:
            inputs = (torch.from_numpy(array) for array in encoding.rows())
            logits = network(*inputs)["logits"]
            rows.append(torch.sigmoid(logits)[0].numpy())
    return np.stack(rows)


def _labels(run: TrainingRun, findings: Findings, titles: TitleQuality) -> tuple[Label, ...]:
    """Labels with their thresholds; titles alone get some of their own only where that is better on held-out papers."""
    targets, wanted = run.corpus.validation.targets, run.config.thresholds
    common = choose(targets, findings.scores, wanted)
    own: Sequence[float | None] = [None] * len(common)
    if titles.micro_f1_own > titles.micro_f1_common:
        own = choose(targets, findings.title_scores, wanted)
    return tuple(
        Label(id=slug(name), name=name, threshold=threshold, title_threshold=title_threshold)
        for name, threshold, title_threshold in zip(run.corpus.labels, common, own, strict=True)
    )


def _title_quality(run: TrainingRun, findings: Findings) -> TitleQuality:
    targets, config = run.corpus.validation.targets, run.config
    common, own = (
        micro_f1(
            targets > 0, held_out_decisions(targets, chosen_on, findings.title_scores, config.thresholds, config.seed)
        )
        for chosen_on in (findings.scores, findings.title_scores)
    )
    return TitleQuality(
        micro_f1=max(common, own),
        micro_f1_common=common,
        micro_f1_own=own,
        mean_average_precision=mean_average_precision(targets, findings.title_scores),
        calibration_error=mean_error(targets, findings.title_scores).equal_width,
    )


def _quality(
    run: TrainingRun,
    findings: Findings,
    labels: Sequence[Label],
    titles: TitleQuality,
    baseline: dict[str, float] | None,
) -> Quality:
    targets, config = run.corpus.validation.targets, run.config
    measured = quality(targets, findings.scores, labels, config.seed)
    decisions = held_out_decisions(targets, findings.scores, findings.scores, config.thresholds, config.seed)
    errors = calibration_errors(targets, findings.held_out)
    return measured.model_copy(
        update={
            "baseline": baseline,
            "titles": titles,
            "micro_f1_held_out": micro_f1(targets > 0, decisions),
            "calibration_error": float(errors.mean()),
            "per_label": {
                label.id: measured.per_label[label.id].model_copy(update={"calibration_error": float(error)})
                for label, error in zip(labels, errors, strict=True)
            },
        }
    )


def _manifest(run: TrainingRun, findings: Findings, found: Comparison, baseline: dict[str, float] | None) -> Manifest:
    config, targets = run.config, run.corpus.validation.targets
    titles = _title_quality(run, findings)
    labels = _labels(run, findings, titles)
    thresholds = [label.threshold for label in labels]
    return Manifest(
        name=config.name,
        version=config.version,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        labels=labels,
        input=config.input,
        uncertain=uncertain_rule(targets, findings.scores, thresholds, config.uncertain_share),
        calibration=findings.calibration,
        aim=ThresholdAim(aim=config.thresholds.aim, at_least=config.thresholds.at_least),
        scope=findings.scope,
        quality=_quality(run, findings, labels, titles, baseline),
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
            GoldenPaper(title=paper.title, abstract=paper.abstract, scores=tuple(map(float, graph(encoding).scores)))
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
