"""One TOML file per run, read once, frozen, unknown keys refused."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model_store.papers import InputFormat
from training.errors import ConfigError

Precision = Literal["auto", "bf16", "fp32"]
Method = Literal["none", "temperature", "platt"]
METHODS: tuple[Method, ...] = ("none", "temperature", "platt")
_M = TypeVar("_M", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderConfig(_Section):
    """The pretrained encoder."""

    source: str = Field(min_length=1, description="hub id, or a local folder in the Hugging Face layout")
    freeze: bool = Field(default=False, description="train the head alone, on features without dropout")
    dropout: float | None = Field(default=None, ge=0, lt=1, description="inside the encoder; absent: as pretrained")
    attention: Literal["sdpa", "eager"] = Field(
        default="sdpa", description="in training; on CPUs with bf16 eager is faster"
    )


class FeaturesConfig(_Section):
    """What the head reads of the encoder (Sun et al. 2019, section 5.3.2); by default the last layer's CLS vector."""

    top: int | None = Field(
        default=None, ge=1, description="highest layer, from 1; those above are cut away; absent: all"
    )
    layers: int = Field(default=1, ge=1, description="how many layers are read, counted down from `top`")
    join: Literal["concat", "mean", "max"] = Field(default="concat", description="how several layers are joined")
    pool: Literal["cls", "mean", "cls+mean"] = Field(
        default="cls", description="a layer's CLS vector, the mean over all tokens, or both side by side"
    )
    chunks: Literal["mean", "max", "attention"] = Field(
        default="mean", description="how chunks are joined where `input.chunks` asks for some (section 5.3.1)"
    )


class HeadConfig(_Section):
    """dropout → linear → ReLU → dropout → linear, on the features."""

    hidden: int = Field(default=50, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class TextFile(_Section):
    """A file of papers, and how much of it to take."""

    path: Path
    since: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="by update_date, inclusive")
    until: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="by update_date, exclusive")
    sample: int | None = Field(default=None, ge=1, description="papers to draw, seeded; absent: all")


class Source(TextFile):
    """A training file, and how much of it to take."""

    having: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="only papers with one of these labels: more of what is rare"
    )
    most_per_category: int | None = Field(
        default=None,
        ge=1,
        description="draw about this many papers of each common category (of each label, where there are no "
        "categories); papers of rarer categories are all kept",
    )


class DataConfig(_Section):
    """Where papers come from. Paths are relative to the working directory."""

    train: tuple[Source, ...] = Field(min_length=1)
    validation: Path | None = Field(default=None, description="absent: split off `validation_share`")
    test: Path | None = Field(default=None, description="papers that are only reported on: nothing is chosen by them")
    validation_share: float = Field(default=0.125, gt=0, lt=0.5)
    sample: int | None = Field(
        default=None, ge=1, description="training papers to draw from all files together, seeded"
    )
    validation_sample: int | None = Field(default=None, ge=1, description="validation papers to draw, seeded")
    title_column: str | None = Field(default=None, description="absent: the column named `title`, if there is one")
    abstract_column: str | None = Field(default=None, description="absent: the column named `abstract`, if any")
    labels: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="label columns; absent: all but id, title and abstract"
    )
    categories: dict[str, tuple[str, ...]] | None = Field(
        default=None, description='label → arXiv archives ("cs") or categories ("cs.LG"), for a column `categories`'
    )
    blank_is_negative: bool = Field(default=False, description="whether a blank cell of a label column means 0")
    keep_unlabelled: bool | None = Field(
        default=None, description="papers without any label are negatives; absent: yes, but not with `categories`"
    )
    share: float = Field(
        default=1.0, gt=0, le=1, description="of the training papers, seeded; a smaller share lies within a larger one"
    )


class AuxiliaryConfig(_Section):
    """Multi-task learning (Sun et al. 2019, section 5.5): a second head learns finer categories, and is dropped."""

    column: str = Field(default="categories", description="space-separated names; papers without the column learn none")
    weight: float = Field(default=0.25, gt=0, description="a wrong category against a wrong label")
    fewest: int = Field(default=50, ge=1, description="papers a category must have to be learned")


class ExitsConfig(_Section):
    """Heads on lower layers, so that clear papers can leave the network early.

    Deep supervision as in BranchyNet (Teerapittayanon et al. 2016) and DeeBERT (Xin et al. 2020), with the last head as
    teacher of the others (FastBERT, Liu et al. 2020). An exit's head reads the CLS state and the mean of all states of
    its layer.
    """

    layers: tuple[int, ...] = Field(min_length=1, description="after which layers, counted from 1")
    weight: float = Field(default=0.5, gt=0, description="of each exit's loss; the last head's weighs 1")
    teacher: float = Field(
        default=0.5, ge=0, le=1, description="share of an exit's loss that the last head's scores teach, not the labels"
    )
    micro_f1_loss: float = Field(
        default=0.001, ge=0, description="of the published artefact, against reading every paper with all layers"
    )
    heads: int = Field(default=2, ge=0, description="exits that are published, at most; 0: none")


class PretrainConfig(_Section):
    """Further pre-training with masked words before fine-tuning (Sun et al. 2019, section 5.4)."""

    texts: tuple[TextFile, ...] = Field(
        default=(), description="absent: the training papers (within-task); else these files, labelled or not"
    )
    epochs: int = Field(default=10, ge=1)
    steps: int | None = Field(default=None, ge=1, description="instead of epochs; the paper takes 100,000")
    batch_size: int = Field(default=32, ge=1)
    max_tokens: int = Field(default=128, ge=8, le=512)
    learning_rate: float = Field(default=5e-5, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    mask_share: float = Field(
        default=0.15, gt=0, lt=1, description="of word pieces; 80 % [MASK], 10 % random, 10 % kept"
    )
    whole_words: bool = Field(default=False, description="mask all pieces of a word, always by [MASK]")
    precision: Precision = "auto"
    checkpoint_steps: int = Field(default=500, ge=1, description="steps between two checkpoints")


class TeacherConfig(_Section):
    """Learn from the scores of fitted networks too (Hinton et al. 2015); `training score` writes them."""

    scores: tuple[Path, ...] = Field(min_length=1, description="files of scores; logits of several are averaged")
    weight: float = Field(default=0.5, gt=0, le=1, description="of the teachers' scores; the labels have the rest")
    temperature: float = Field(default=1.0, ge=1, description="divides logits: above 1, small scores tell more")


class LossConfig(_Section):
    """What a wrong score costs; all but plain "bce" trade calibration for labels that few papers have."""

    kind: Literal["bce", "class_balanced", "focal", "asymmetric"] = "bce"
    beta: float = Field(default=0.999, ge=0, lt=1, description="class_balanced: (1 - β) / (1 - β^papers) by label")
    gamma: float = Field(default=2.0, ge=0, description="focal: how much less an easy decision counts")
    positive_gamma: float = Field(default=1.0, ge=0, description="asymmetric: γ+, for labels a paper has")
    negative_gamma: float = Field(default=4.0, ge=0, description="asymmetric: γ-, for labels it has not")
    margin: float = Field(default=0.05, ge=0, lt=1, description="asymmetric: absent labels scored below cost nothing")
    positive_weight_cap: float | None = Field(
        default=None, ge=1, description="positives count √(negatives / positives) times, at most this; absent: once"
    )
    start_at_rates: bool = Field(default=False, description="biases start at the log-odds of the labels' shares")


class FitConfig(_Section):
    """The loop. Defaults are those of Sun et al. 2019, section 5.2."""

    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=24, ge=1)
    max_tokens: int = Field(default=512, ge=8, le=512, description="word pieces while training; serving may read more")
    learning_rate: float = Field(default=2e-5, gt=0)
    head_learning_rate: float | None = Field(default=None, gt=0, description="absent: as `learning_rate`")
    layer_decay: float = Field(
        default=1.0, gt=0, le=1, description="ξ of section 5.4.2: each lower layer learns ξ times"
    )
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps; `cut_frac` of a slanted triangle")
    schedule: Literal["linear", "slanted", "cosine", "constant"] = Field(
        default="linear", description="of the learning rate, after a linear warm-up"
    )
    slant: float = Field(default=32.0, ge=1, description="slanted: highest against lowest learning rate, `ratio`")
    averaging: Literal["none", "ema", "swa"] = Field(
        default="none", description="of the weights, evaluated and kept in their place: fading, or all alike"
    )
    averaging_decay: float = Field(default=0.999, gt=0, lt=1, description="ema: what the average keeps each step")
    averaging_start: float = Field(default=0.0, ge=0, lt=1, description="share of the steps; about 0.75 suits swa")
    precision: Precision = "auto"
    evaluations_per_epoch: float = Field(
        default=1, gt=0, description="each also writes a checkpoint; 0.5: one every other epoch"
    )
    patience: int = Field(default=2, ge=1, description="evaluations without a better micro-F1 before stopping")


class GoldenPaper(_Section):
    """A paper, in words free to publish, whose scores every start of the service replays."""

    title: str
    abstract: str = ""

    @model_validator(mode="after")
    def _has_text(self) -> "GoldenPaper":
        if not (self.title.strip() or self.abstract.strip()):
            raise ValueError("a golden paper needs a title or an abstract")
        return self


class QuantizationConfig(_Section):
    """Dynamic int8. With `reduce_range` weights keep 7 bits, so that no processor's arithmetic saturates."""

    per_channel: bool = True
    reduce_range: bool = True


class CalibrationConfig(_Section):
    """What is done to the quantized graph's scores, inside the graph, so that they can be read as probabilities.

    "platt" fits slope and intercept per label in log-odds, "temperature" the slope alone. Isotonic
    regression is measured beside them but not offered: its steps give many papers the same score,
    which costs ranking, and need some thousand papers per label to be worth it.
    """

    method: Method = "platt"


class ThresholdsConfig(_Section):
    """What thresholds are chosen for, per label: the best F1, or the lowest that reaches a precision."""

    aim: Literal["f1", "precision"] = "f1"
    at_least: float | None = Field(default=None, gt=0, le=1, description='the precision, for `aim = "precision"`')

    @model_validator(mode="after")
    def _precision_is_stated(self) -> "ThresholdsConfig":
        if (self.aim == "precision") != (self.at_least is not None):
            raise ValueError('`at_least` goes with `aim = "precision"`: give both, or neither')
        return self


class ScopeConfig(_Section):
    """The detector of texts unlike the training papers; without this section nothing is out of scope."""

    layer: int | None = Field(
        default=None, ge=0, description="whose hidden states are compared, 0 the embeddings; absent: the middle one"
    )
    false_alarms: float = Field(default=0.02, gt=0, lt=0.5, description="of papers in scope, at most this share")
    papers: int = Field(default=2400, ge=50, description="training papers it learns from, at several lengths")


class Gates(_Section):
    """Limits of what quantization may cost against fp32 on the validation papers.

    A gate is missed only if the measured figure is beyond its limit by more than chance explains. Then the next scheme
    of quantization is tried; if none is good enough, the best is published with a warning, or, if `strict`, none is.
    """

    micro_f1_loss: float = Field(default=0.003, description="at most this much below fp32")
    flipped: float = Field(default=0.03, description="at most this share of papers with a changed decision")
    size: float = Field(default=0.4, gt=0, description="of the quantized graph, at most this share of fp32's bytes")
    bytes: int | None = Field(default=None, ge=1, description="of the quantized graph, at most; absent: any")
    strict: bool = Field(default=False, description="publish nothing if a gate is missed")


class ArtefactConfig(_Section):
    """A further artefact made of the same fitted network, under a name of its own."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    cut_after: int | None = Field(
        default=None, ge=1, description="leave out the layers above this one, which must be among the exits"
    )
    labels: Literal["labels", "categories"] = Field(
        default="labels", description='"categories": those of the auxiliary head'
    )
    validation: Path | None = Field(
        default=None, description="papers with categories that were not trained on; absent: the run's validation papers"
    )
    test: Path | None = Field(default=None, description="papers with categories that are only reported on")
    limits: tuple[str, ...] | None = Field(default=None, description="absent: as of the run")

    @model_validator(mode="after")
    def _head_exists(self) -> "ArtefactConfig":
        if self.cut_after is not None and self.labels == "categories":
            raise ValueError("`cut_after` goes with the labels, not with categories: exits have no head for these")
        return self


class RunConfig(_Section):
    """A whole run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    licence: str
    limits: tuple[str, ...] = Field(default=())
    seed: int = Field(ge=0)
    encoder: EncoderConfig
    features: FeaturesConfig = FeaturesConfig()
    head: HeadConfig = HeadConfig()
    data: DataConfig
    auxiliary: AuxiliaryConfig | None = None
    exits: ExitsConfig | None = None
    pretrain: PretrainConfig | None = None
    teacher: TeacherConfig | None = None
    input: InputFormat
    loss: LossConfig = LossConfig()
    fit: FitConfig = FitConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    thresholds: ThresholdsConfig = ThresholdsConfig()
    scope: ScopeConfig | None = None
    gates: Gates = Gates()
    publish: tuple[ArtefactConfig, ...] = Field(default=(), description="further artefacts of the same network")
    golden: tuple[GoldenPaper, ...] = Field(min_length=1)
    golden_tolerance: float = Field(default=0.02, gt=0, lt=1, description="processors round fp32 differently")
    uncertain_share: float = Field(default=0.15, gt=0, lt=1, description="of validation papers a person should look at")

    @property
    def training_input(self) -> InputFormat:
        """The layout of a paper while training: as served, perhaps shorter."""
        return self.input.model_copy(update={"max_tokens": self.fit.max_tokens})

    def cut_to(self, max_tokens: int) -> InputFormat:
        """The served layout of a paper with another length, in one piece."""
        return self.input.model_copy(update={"max_tokens": max_tokens, "chunks": None})


def read_config(path: Path) -> tuple[RunConfig, str]:
    """The configuration and its text, verbatim, for the manifest.

    Raises ConfigError naming the file, the key and what was expected.
    """
    document, text = read_toml(path)
    return validated(RunConfig, document, f"{path} is no valid run"), text


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """A TOML file as a document and as its text; ConfigError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None


def validated(kind: type[_M], document: Mapping[str, Any], complaint: str) -> _M:
    """The document as what it should be; ConfigError with the complaint and every key that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = (f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigError("\n".join([f"{complaint}:", *lines])) from None
