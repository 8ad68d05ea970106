"""The sections of a run that describe the network."""

from typing import Literal

from pydantic import Field

from training.config.toml_document import Section


class EncoderConfig(Section):
    """The pretrained encoder."""

    source: str = Field(min_length=1, description="hub id, or a local folder in the Hugging Face layout")
    freeze: bool = Field(default=False, description="train the head alone, on features without dropout")
    dropout: float | None = Field(default=None, ge=0, lt=1, description="inside the encoder; absent: as pretrained")
    attention: Literal["sdpa", "eager"] = Field(
        default="sdpa", description="in training; with bf16 on CPUs eager is faster"
    )


class FeaturesConfig(Section):
    """Features that the head reads (Sun et al. 2019, section 5.3.2); by default the CLS vector of the last layer."""

    top: int | None = Field(
        default=None, ge=1, description="highest layer, counted from 1; those above are removed; absent: all stay"
    )
    layers: int = Field(default=1, ge=1, description="how many layers are read, counted down from `top`")
    join: Literal["concat", "mean", "max"] = Field(default="concat", description="how several layers are joined")
    pool: Literal["cls", "mean", "cls+mean"] = Field(
        default="cls", description="a layer's CLS vector, the mean over all tokens, or both side by side"
    )
    chunks: Literal["mean", "max", "attention"] = Field(
        default="mean", description="how chunks are joined if `input.chunks` is set (section 5.3.1)"
    )


class HeadConfig(Section):
    """dropout → linear → ReLU → dropout → linear, on the features."""

    hidden: int = Field(default=50, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class ExitsConfig(Section):
    """Heads on lower layers, for early exits.

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
