"""The section of a run that describes the model of word pieces and pairs."""

from pydantic import Field

from training.config.data_config import Source
from training.config.toml_document import Section


class NgramsConfig(Section):
    """A linear model of word pieces and of pairs of neighbouring ones, for the finer categories of [auxiliary].

    It is the wide part of a network as in Wide & Deep Learning (Cheng et al. 2016). An encoder learns from a hundred
    thousand papers in the time in which this model learns from millions, and it knows rare terms.
    """

    train: tuple[Source, ...] = Field(default=(), description="papers with categories; absent: the training papers")
    buckets: int = Field(default=32_768, ge=1, description="rows that all pairs share, chosen by a hash")
    epochs: int = Field(default=2, ge=1)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1.0, gt=0)
    share: float = Field(default=0.35, gt=0, lt=1, description="of the logits; the network's head has the rest")
