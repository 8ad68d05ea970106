"""The files of an artefact: manifest, golden papers, tokenizer and card beside the graph."""

import hashlib
import importlib.metadata
import logging
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from tokenizers import Tokenizer

from model_store.artefact import GRAPH
from model_store.golden import Golden, GoldenPaper
from model_store.graph import ExitingGraph, Graph, OnnxGraph
from model_store.manifest import (
    Exit,
    FileEntry,
    Manifest,
    Provenance,
    Quality,
    Quantization,
    Scope,
    ThresholdAim,
)
from model_store.papers import Paper, PaperEncoder
from training.config import PublishConfig, RunConfig
from training.data.corpus import Facts
from training.evaluation.metrics import thresholds
from training.publishing.edition import Edition
from training.publishing.findings import Findings
from training.publishing.quantization import Quantized
from training.publishing.thresholds import out_of_reach, uncertain_rule
from training.run import TrainingRun

_LOG = logging.getLogger("training")

_LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "numpy", "scikit-learn")
# On another processor a golden paper's scores may differ by this in log-odds; it must take the same exit there.
_MARGIN_OF_GOLDEN = 0.25
# Labels with few papers that a warning names.
_FEW_NAMED = 12


def describe(
    run: TrainingRun, edition: Edition, findings: Findings, quantized: Quantized, scope: Scope | None, quality: Quality
) -> Manifest:
    """The manifest, but for the checksums, which the store computes, and the figures on test papers."""
    config, targets = run.config, edition.validation.targets
    comparison, decided_by = quantized.comparison, thresholds(findings.labels, findings.title_only)
    return Manifest(
        name=edition.name,
        version=edition.version,
        created=now(),
        labels=findings.labels,
        input=edition.input,
        uncertain=uncertain_rule(targets, findings.scores, decided_by, config.uncertain_share),
        calibration=findings.calibration,
        aim=ThresholdAim(aim=config.thresholds.aim, at_least=config.thresholds.at_least),
        scope=scope,
        exits=_exits(edition, findings),
        quality=quality,
        quantization=Quantization(
            scheme=quantized.scheme.description,
            bytes_fp32=comparison.bytes_fp32,
            micro_f1_fp32=comparison.loss.micro_f1_fp32 if comparison.loss else None,
            micro_f1_int8=comparison.loss.micro_f1_int8 if comparison.loss else None,
            flipped=comparison.flipped,
            largest_change=min(1.0, comparison.largest_change),
        ),
        provenance=provenance(config, run.text, _data(run, edition), edition.imported),
        licence=config.licence,
        limits=(*edition.limits, *_warnings(edition, findings, quantized, config)),
        # The card states the size of the graph, whose parts count together.
        files={GRAPH: FileEntry(bytes=comparison.bytes_int8, sha256="0" * 64)},
    )


def now() -> str:
    """The time as the manifest states it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def provenance(
    config: PublishConfig, text: str, data: Mapping[str, Facts] = MappingProxyType({}), imported: str | None = None
) -> Provenance:
    """Where an artefact comes from; `text` is the configuration as TOML, `imported` the class of an imported model."""
    return Provenance(
        base_encoder=Path(config.encoder.source).name,
        imported=imported,
        config=text,
        seed=config.seed,
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
        data=dict(data),
        git_commit=_git_commit(),
    )


def _data(run: TrainingRun, edition: Edition) -> dict[str, Facts]:
    """Facts by file: of the run's corpus, and of other files that the edition was made from."""
    config, report = run.config, run.corpus.report
    uses = {file.path: "further pre-training" for file in (config.pretrain.texts if config.pretrain else ())}
    for wanted in config.publish:
        if (wanted.name, wanted.version) == (edition.name, edition.version) and wanted.labels == "categories":
            uses |= {source.path: "n-grams" for source in (config.ngrams.train if config.ngrams else ())}
            uses |= {wanted.validation: "thresholds and calibration"} if wanted.validation else {}
    others = {path: use for path, use in uses.items() if str(path) not in report and path.is_file()}
    return report | {str(path): {"sha256": _sha256(path), "used for": use} for path, use in others.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def part_name(number: int) -> str:
    """The file of a part of the graph, counted from 0."""
    return GRAPH if number == 0 else f"model.{number + 1}.onnx"


def _exits(edition: Edition, findings: Findings) -> tuple[Exit, ...]:
    if findings.exits is None:
        return ()
    exits, layers = findings.exits, edition.exit_layers
    title_margins = exits.title_rule.margins if exits.title_rule else (None,) * len(exits.rule.heads)
    rows = zip(exits.rule.heads, exits.rule.margins, title_margins, exits.shares, strict=True)
    leaving = [
        Exit(
            file=part_name(number),
            layer=layers[head],
            margin=margin,
            title_margin=title_margin,
            share=share,
            micro_f1=findings.micro_f1_by_head[head],
        )
        for number, (head, margin, title_margin, share) in enumerate(rows)
    ]
    last = Exit(
        file=part_name(len(leaving)),
        layer=edition.layers,
        margin=0,
        title_margin=0,
        share=max(0.0, 1 - sum(exits.shares)),
        micro_f1=findings.micro_f1_by_head[-1],
    )
    return (*leaving, last)


def _warnings(edition: Edition, findings: Findings, quantized: Quantized, config: RunConfig) -> list[str]:
    """Sentences on what this artefact falls short of."""
    warnings = [f"Quantization costs more than the run allows: {missed}." for missed in quantized.missed]
    names = [label.name for label in edition.labels]
    unreached = out_of_reach(edition.validation.targets, findings.scores, config.thresholds)
    warnings += [
        f"No threshold gives {names[i]} the precision of {config.thresholds.at_least} that the run aims at; the best "
        f"is {best:.3f}."
        for i, best in unreached.items()
    ]
    few = [label.title or label.name for label in findings.labels if label.few_papers]
    if few:
        shown = ", ".join(few[:_FEW_NAMED]) + (f" and {len(few) - _FEW_NAMED} others" if len(few) > _FEW_NAMED else "")
        warnings.append(
            f"Threshold and calibration rest on few validation papers, and are drawn towards those of all labels "
            f"together, for {shown}."
        )
    return warnings


def graph_of(manifest: Manifest, files: Mapping[str, bytes]) -> Graph:
    """The graph as it is served."""
    return ExitingGraph(manifest, files) if manifest.exits else OnnxGraph(files[GRAPH])


def golden(config: PublishConfig, encoder: PaperEncoder, manifest: Manifest, files: Mapping[str, bytes]) -> Golden:
    """The golden papers with their scores; those that are close to the margin of an exit are left out."""
    graph, shifted = graph_of(manifest, files), _shifted(manifest, files)
    papers = [Paper(golden.title, golden.abstract) for golden in config.golden]
    encodings = encoder.encode(papers)
    stable = [i for i, paper in enumerate(encodings) if len({other(paper).layer for other in shifted}) < 2]
    chosen = stable or range(len(papers))
    if not stable:
        _LOG.warning("all %d golden papers are kept, though each is too close to the margin of an exit", len(papers))
    elif left_out := len(papers) - len(stable):
        _LOG.warning("%d golden papers are left out: they are too close to the margin of an exit", left_out)
    return Golden(
        tolerance=config.golden_tolerance,
        papers=tuple(
            GoldenPaper(
                title=papers[i].title, abstract=papers[i].abstract, scores=tuple(map(float, graph(encodings[i]).scores))
            )
            for i in chosen
        ),
    )


def _shifted(manifest: Manifest, files: Mapping[str, bytes]) -> Sequence[Graph]:
    """The graph with slightly lower and with slightly higher margins."""
    if not manifest.exits:
        return ()
    graphs = []
    for shift in (-_MARGIN_OF_GOLDEN, _MARGIN_OF_GOLDEN):
        exits = [
            exit_.model_copy(
                update={
                    "margin": max(0.0, exit_.margin + shift),
                    "title_margin": None if exit_.title_margin is None else max(0.0, exit_.title_margin + shift),
                }
            )
            for exit_ in manifest.exits[:-1]
        ]
        graphs.append(ExitingGraph(manifest.model_copy(update={"exits": (*exits, manifest.exits[-1])}), files))
    return graphs


def plain_tokenizer(tokenizer: Tokenizer) -> bytes:
    """`tokenizer.json` without the padding and truncation of the pretrained file: the input format decides on these."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer.to_str().encode()


def _git_commit() -> str | None:
    """The commit of this code; None outside a repository or without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return found.stdout.strip() or None
