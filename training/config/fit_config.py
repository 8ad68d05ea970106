"""The sections of a run that say how the network is trained."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.config.data_config import TextFile
from training.config.toml_document import Section

Precision = Literal["auto", "bf16", "fp32"]


class PretrainConfig(Section):
    """Further pre-training with masked words before fine-tuning (Sun et al. 2019, section 5.4)."""

    texts: tuple[TextFile, ...] = Field(
        default=(), description="absent: the training papers (within-task); else these files, labelled or not"
    )
    epochs: int = Field(default=10, ge=1)
    steps: int | None = Field(default=None, ge=1, description="instead of `epochs`; Sun et al. take 100,000")
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


class TeacherConfig(Section):
    """Knowledge distillation (Hinton et al. 2015): learn from the scores of a teacher, written by `training score`."""

    scores: tuple[Path, ...] = Field(min_length=1, description="files of scores; logits of several are averaged")
    weight: float = Field(
        default=0.5, gt=0, le=1, description="of the loss against the teachers' scores; the labels have the rest"
    )
    temperature: float = Field(default=1.0, ge=1, description="divides the logits; above 1, small scores count more")


class LossConfig(Section):
    """The loss. All kinds but "bce" find more of the labels that few papers have, at the cost of calibration."""

    kind: Literal["bce", "class_balanced", "focal", "asymmetric"] = "bce"
    beta: float = Field(default=0.999, ge=0, lt=1, description="class_balanced: (1 - β) / (1 - β^papers) by label")
    gamma: float = Field(default=2.0, ge=0, description="focal: how much less an easy decision weighs")
    positive_gamma: float = Field(default=1.0, ge=0, description="asymmetric: γ+, for labels a paper has")
    negative_gamma: float = Field(default=4.0, ge=0, description="asymmetric: γ-, for labels it has not")
    margin: float = Field(default=0.05, ge=0, lt=1, description="asymmetric: absent labels scored below cost nothing")
    positive_weight_cap: float | None = Field(
        default=None, ge=1, description="positives weigh √(negatives / positives), at most this; absent: 1"
    )
    start_at_rates: bool = Field(default=False, description="biases start at the log-odds of the labels' shares")


class FitConfig(Section):
    """Fine-tuning. The defaults are those of Sun et al. 2019, section 5.2."""

    continue_from: Path | None = Field(
        default=None,
        description="network.safetensors of an earlier run with the same network: its weights are the first ones, and "
        "its categories those of [auxiliary]; absent: the pretrained encoder and new heads",
    )
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=24, ge=1)
    max_tokens: int = Field(default=512, ge=8, le=512, description="word pieces while training; serving may read more")
    titles_alone: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the training papers that are read without their abstracts, so that titles are learned",
    )
    learning_rate: float = Field(default=2e-5, gt=0)
    head_learning_rate: float | None = Field(default=None, gt=0, description="absent: as `learning_rate`")
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="ξ of section 5.4.2: each layer learns at ξ times the rate of the layer above",
    )
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps; `cut_frac` of a slanted triangle")
    schedule: Literal["linear", "slanted", "cosine", "constant"] = Field(
        default="linear", description="of the learning rate, after a linear warm-up"
    )
    slant: float = Field(default=32.0, ge=1, description="slanted: highest against lowest learning rate, `ratio`")
    averaging: Literal["none", "ema", "swa"] = Field(
        default="none", description="of the weights, evaluated and saved in their place: exponential, or the plain mean"
    )
    averaging_decay: float = Field(
        default=0.999, gt=0, lt=1, description="ema: weight of the average so far in each step"
    )
    averaging_start: float = Field(
        default=0.0, ge=0, lt=1, description="share of the steps before it starts; about 0.75 for swa"
    )
    precision: Precision = "auto"
    evaluations_per_epoch: float = Field(
        default=1, gt=0, description="each also writes a checkpoint; 0.5: every second epoch"
    )
    patience: int = Field(default=2, ge=1, description="evaluations without a better micro-F1 before stopping")
