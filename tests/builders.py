"""Makes a tiny but real artefact in-process: real tokenizer, real int8 graph, real manifest, really published."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from model_store.classifier import Classifier, OnnxGraph
from model_store.golden import Golden, GoldenPaper
from model_store.labels import Label, UncertainRule
from model_store.manifest import Caught, Exit, LabelQuality, Manifest, Provenance, Quality, Quantization, Scope
from model_store.papers import InputFormat, Paper, PaperEncoder
from model_store.store import CARD, GOLDEN, GRAPH, MANIFEST, TOKENIZER, Store

LABELS = (
    Label(id="computer-science", name="Computer Science", threshold=0.5),
    Label(id="physics", name="Physics", threshold=0.4),
    Label(id="mathematics", name="Mathematics", threshold=0.5),
)
# Each word speaks for one label by this much, against the others by a quarter of it.
WORDS = {
    "algorithm": 0, "compiler": 0, "network": 0, "software": 0,
    "quantum": 1, "star": 1, "particle": 1, "plasma": 1,
    "theorem": 2, "proof": 2, "algebra": 2, "manifold": 2,
}  # fmt: skip
FILLERS = ("the", "a", "of", "we", "and", "##s", "b", "c", ".", ",", "[", "]", "sep", "cls")
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INPUT = InputFormat(max_tokens=32)
SCOPE = Scope(
    layer=0, threshold=0.7, title_threshold=0.8, false_alarms=0.02, title_false_alarms=0.02,
    caught=Caught(texts=10, caught=0.9), kinds={"noise": Caught(texts=10, caught=0.9)},
)  # fmt: skip


def tokenizer(words: Iterable[str] = tuple(WORDS)) -> Tokenizer:
    """A word-piece tokenizer of a few words."""
    vocabulary = {word: i for i, word in enumerate((*SPECIALS, *FILLERS, *words))}
    made = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.add_special_tokens(list(SPECIALS))
    return made


def graph(pull: float = 12.0) -> bytes:
    """An int8 word-to-label table, averaged over the tokens and ended by the sigmoid, as ONNX.

    Its distance is the share of word pieces that it does not know.
    """
    nodes = [*_looked_up(), *_averaged("votes"), *_unknown_share()]
    inputs = [_value(name, INTEGER, "tokens") for name in ("input_ids", "attention_mask", "token_type_ids")]
    return _model(nodes, inputs, [_probabilities(), _value("distance", FLOAT)], [*_table(pull), *_constants(1.0)])


def parts(pull: float = 12.0) -> dict[str, bytes]:
    """The same network in two parts: log-odds after the first are half of those after the second."""
    hidden, next_hidden = (_value(name, FLOAT, "tokens", len(LABELS)) for name in ("hidden", "next_hidden"))
    nodes = [*_looked_up("next_hidden"), *_averaged("next_hidden"), *_unknown_share()]
    first_outputs = [_probabilities(), _value("distance", FLOAT), next_hidden]
    constants = [*_table(pull), *_constants(0.5)]
    return {
        GRAPH: _model(nodes, [_value("input_ids", INTEGER, "tokens")], first_outputs, constants),
        "model.2.onnx": _model(_averaged("hidden"), [hidden], [_probabilities()], _constants(1.0)),
    }


INTEGER, FLOAT = TensorProto.INT64, TensorProto.FLOAT


def _value(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["papers", *shape])


def _probabilities() -> onnx.ValueInfoProto:
    return _value("probabilities", FLOAT, len(LABELS))


def _table(pull: float) -> list[TensorProto]:
    words = (*SPECIALS, *FILLERS, *WORDS)
    table = np.full((len(words), len(LABELS)), 0.0)
    for word, label in WORDS.items():
        table[words.index(word)] = -0.25
        table[words.index(word), label] = 1.0
    scale = 1 / 127
    return [
        numpy_helper.from_array(np.round(table / scale).astype(np.int8), "table"),
        numpy_helper.from_array(np.array(scale * pull, dtype=np.float32), "scale"),
        numpy_helper.from_array(np.array(0, dtype=np.int8), "zero"),
        numpy_helper.from_array(np.array(SPECIALS.index("[UNK]"), dtype=np.int64), "unknown"),
    ]


def _constants(share: float) -> list[TensorProto]:
    return [
        numpy_helper.from_array(np.array(-1.0, dtype=np.float32), "bias"),
        numpy_helper.from_array(np.array(share, dtype=np.float32), "share"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "token_axis"),
    ]


def _looked_up(output: str = "votes") -> list[onnx.NodeProto]:
    return [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("DequantizeLinear", ["rows", "scale", "zero"], [output]),
    ]


def _averaged(votes: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceMean", [votes, "token_axis"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["logits"]),
        helper.make_node("Mul", ["logits", "share"], ["shared"]),
        helper.make_node("Sigmoid", ["shared"], ["probabilities"]),
    ]


def _unknown_share() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Equal", ["input_ids", "unknown"], ["is_unknown"]),
        helper.make_node("Cast", ["is_unknown"], ["strange"], to=FLOAT),
        helper.make_node("ReduceMean", ["strange", "token_axis"], ["distance"], keepdims=0),
    ]


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: list[TensorProto],
) -> bytes:
    built = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def exits(margin: float, title_margin: float | None = None) -> tuple[Exit, Exit]:
    """The exits of `parts`."""
    return (
        Exit(file=GRAPH, layer=2, margin=margin, title_margin=title_margin, share=0.6),
        Exit(file="model.2.onnx", layer=6, margin=0, title_margin=0, share=0.4),
    )


def manifest(version: str = "1.0.0", **changes: Any) -> Manifest:
    """A manifest for the tiny artefact; `changes` replace fields."""
    quality = Quality(
        papers=30, micro_f1=0.9, micro_f1_interval=(0.8, 1.0), macro_f1=0.9, mean_average_precision=0.95,
        subset_accuracy=0.8, hamming_loss=0.05,
        per_label={
            label.id: LabelQuality(
                support=10, precision=0.9, recall=0.9, f1=0.9, f1_interval=(0.8, 1.0), average_precision=0.95
            )
            for label in LABELS
        },
    )  # fmt: skip
    return Manifest(
        name="tiny-subjects",
        version=version,
        created="2026-01-02T03:04:05Z",
        labels=LABELS,
        input=INPUT,
        uncertain=UncertainRule(margin=0.2, share=0.1, error_rate_uncertain=0.5, error_rate_ok=0.1),
        scope=SCOPE,
        quality=quality,
        quantization=Quantization(
            scheme="int8 table", bytes_fp32=1000, micro_f1_fp32=0.9, flipped=0.0, largest_change=0.01
        ),
        provenance=Provenance(base_encoder="none", config="seed = 1\n", seed=1, libraries={}, data={}, git_commit=None),
        licence="Apache-2.0",
        limits=("Knows twelve words.",),
        files={},
    ).model_copy(update=changes)


def figures(manifest: Manifest) -> Quality:
    """The figures on the validation papers, which the manifest must have."""
    assert manifest.quality is not None
    return manifest.quality


GOLDEN_PAPERS = (Paper("A quantum algorithm", "We star the particle."), Paper("theorem proof algebra"))


def classifier(format_: InputFormat = INPUT) -> Classifier:
    """A classifier over the tiny artefact that was never in a store."""
    return Classifier(manifest(input=format_), "0" * 64, PaperEncoder(tokenizer(), format_), OnnxGraph(graph()))


def files(**changes: bytes) -> Mapping[str, bytes]:
    """The files of the tiny artefact; `changes` are by name without suffix."""
    scores = classifier().scores(GOLDEN_PAPERS)
    golden = Golden(
        tolerance=1e-4,
        papers=tuple(
            GoldenPaper(title=paper.title, abstract=paper.abstract, scores=tuple(map(float, row)))
            for paper, row in zip(GOLDEN_PAPERS, scores, strict=True)
        ),
    )
    made = {
        GRAPH: graph(),
        TOKENIZER: tokenizer().to_str().encode(),
        GOLDEN: golden.model_dump_json().encode(),
        CARD: b"# Tiny subjects\n\nKnows twelve words.\n",
    }
    return made | {next(name for name in made if name.startswith(stem)): content for stem, content in changes.items()}


def tamper(folder: Path, **changes: bytes) -> None:
    """Replace files of a published artefact, by name without suffix, so that its checksums hold all the same."""
    path = folder / MANIFEST
    document = json.loads(path.read_bytes())
    for stem, content in changes.items():
        name = next(name for name in document["files"] if name.startswith(stem))
        (folder / name).write_bytes(content)
        document["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(document))


def publish(root: Path, version: str = "1.0.0", **changes: Any) -> Store:
    """A store holding the tiny artefact under `version`."""
    store = Store(root)
    store.publish(manifest(version, **changes), files())
    return store
