"""Publishes a network without labelled papers: int8 is compared with fp32, nothing else is measured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from model_store.artefact import CARD, GOLDEN, GRAPH, TOKENIZER
from model_store.labels import Label, UncertainRule, log_odds
from model_store.manifest import FileEntry, Manifest, Quantization
from model_store.papers import PaperEncoder
from model_store.store import Store
from training.config import PublishConfig
from training.model.imported import Network
from training.publishing.calibration import Lines
from training.publishing.card import card
from training.publishing.contents import golden, graph_of, now, plain_tokenizer, provenance
from training.publishing.edition import LabelText
from training.publishing.gates import check_parity
from training.publishing.publish import PARITY_PAPERS, export_quantized, served_scores
from training.publishing.quantization import Quantized
from training.publishing.scope import read_texts
from training.publishing.served_graph import served_graph

_THRESHOLD = 0.5
# Scores up to this far above the threshold, and as far below it, are uncertain.
_CLEAR = 0.7


def publish_unmeasured(
    config: PublishConfig,
    text: str,
    labels: Sequence[LabelText],
    network: Network,
    imported: str,
    tokenizer: Tokenizer,
    store: Store,
) -> Path:
    """Publish a network of the class `imported` and return the artefact's folder; `text` is its configuration as TOML.

    Probabilities are the network's own, every threshold is 0.5, and no text is out of scope. Quantization is gated by
    the decisions on texts of this package. Raises VersionExists and GateError as `publish` does.
    """
    store.check_free(config.name, config.version)
    encoder = PaperEncoder(tokenizer, config.input)
    encodings = encoder.encode([text.paper for text in read_texts() if encoder.has_text(text.paper)])
    quantized = export_quantized(network, encodings, None, config)
    manifest = _manifest(config, text, labels, imported, quantized)
    uncalibrated = Lines(np.ones(len(labels)), np.zeros(len(labels)))
    files = {GRAPH: served_graph(quantized.parts[0], uncalibrated, None)}
    served = served_scores(graph_of(manifest, files), encodings[:PARITY_PAPERS])
    check_parity(quantized.whole.scores[:PARITY_PAPERS], served, "the published graph")
    files |= {
        TOKENIZER: plain_tokenizer(tokenizer),
        GOLDEN: golden(config, encoder, manifest, files).model_dump_json(indent=2).encode(),
        CARD: card(manifest).encode(),
    }
    return store.publish(manifest, files)


def _manifest(
    config: PublishConfig, text: str, labels: Sequence[LabelText], imported: str, quantized: Quantized
) -> Manifest:
    found = quantized.comparison
    return Manifest(
        name=config.name,
        version=config.version,
        created=now(),
        labels=tuple(Label(**label._asdict(), threshold=_THRESHOLD) for label in labels),
        input=config.input,
        uncertain=UncertainRule(margin=float(log_odds(_CLEAR) - log_odds(_THRESHOLD))),
        quantization=Quantization(
            scheme=quantized.scheme.description,
            bytes_fp32=found.bytes_fp32,
            flipped=found.flipped,
            largest_change=min(1.0, found.largest_change),
        ),
        provenance=provenance(config, text, imported=imported),
        licence=config.licence,
        limits=(
            *config.limits,
            "Never measured: no labelled papers were given. The probabilities are the network's own and are not "
            f"calibrated, every threshold is {_THRESHOLD}, and no text is ever out of scope.",
            f"Quantization was compared with fp32 on {found.papers} invented texts, not on papers of its field.",
            *(f"Quantization costs more than allowed: {missed}." for missed in quantized.missed),
        ),
        files={GRAPH: FileEntry(bytes=found.bytes_int8, sha256="0" * 64)},
    )
