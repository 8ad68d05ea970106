"""The network: a pretrained encoder and a small head on its features. Ends in raw logits."""

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from training.config import AuxiliaryConfig, EncoderConfig, ExitsConfig, FeaturesConfig, HeadConfig
from training.errors import ConfigError
from training.model import features
from training.model.auxiliary import AuxiliaryHead
from training.model.chunks import ChunkJoin
from training.model.exits import Exits
from training.model.hidden_layer import hidden_layer
from training.model.losses import TeacherLoss
from training.model.ngrams import Ngrams
from training.model.pretrained import has_token_types, load_body, load_config


class SubjectNetwork(nn.Module):
    """Encoder → features → dropout → linear → ReLU → dropout → linear to the labels.

    The sigmoid is not here: the loss wants raw logits (a second sigmoid would keep the mean loss
    above 0.6 whatever the network learns), and the exported graph adds it once.
    """

    auxiliary: AuxiliaryHead | None
    loss: nn.Module
    """Of logits and targets, both (papers, labels); a mean."""
    teacher: TeacherLoss | None
    chunks: ChunkJoin | None
    """Joins the chunks that papers are read in; none if each is read as one."""
    exits: Exits | None
    """Heads on lower layers."""
    ngrams: Ngrams | None
    """A fitted model of word pieces and pairs, mixed with the head's logits."""
    token_types: bool
    """Whether the encoder takes token types."""

    def __init__(
        self,
        encoder: nn.Module,
        hidden_size: int,
        labels: int,
        head: HeadConfig,
        features_read: FeaturesConfig = FeaturesConfig(),  # noqa: B008  # frozen
        *,
        chunked: bool = False,
        token_types: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.token_types = token_types
        self._features = features_read
        self._hidden_size = hidden_size
        self._features_size = features.size(features_read, hidden_size)
        self.head = nn.Sequential(
            *hidden_layer(self._features_size, head.hidden, head.dropout), nn.Linear(head.hidden, labels)
        )
        self.chunks = ChunkJoin(features_read.chunks, self._features_size) if chunked else None
        self.loss = nn.BCEWithLogitsLoss()
        self.auxiliary = None
        self.teacher = None
        self.exits = None
        self.ngrams = None

    @property
    def labels(self) -> int:
        """The number of labels."""
        return self._last.out_features

    def add_exits(self, config: ExitsConfig, head: HeadConfig, layers: int) -> None:
        """Add heads on the lower layers that `config` names; ConfigError unless they are below the last of `layers`."""
        if self.chunks is not None:
            raise ConfigError("[exits] needs papers that are read in one piece; leave out `chunks` in [input]")
        if not all(1 <= layer < layers for layer in config.layers):
            raise ConfigError(f"[exits] names layers {list(config.layers)}; expected layers from 1 to {layers - 1}")
        lowest = layers - self._features.layers + 1
        if self._features.layers > 1 and max(config.layers) > lowest:
            # A graph is cut after an exit; the part that follows has no states of the layers below.
            raise ConfigError(
                f"[exits] names layers {list(config.layers)}, but the last head reads the layers from {lowest} up; "
                f"expected exits up to layer {lowest}"
            )
        self.exits = Exits(config, head, self._hidden_size, self.labels)

    def add_auxiliary_head(self, categories: int, config: AuxiliaryConfig) -> None:
        """Add an auxiliary head that learns this number of finer categories."""
        self.auxiliary = AuxiliaryHead(self._features_size, categories, config)

    def start_at(self, biases: Tensor) -> None:
        """Let the labels' logits start at `biases`, shape (labels,)."""
        with torch.no_grad():
            self._last.bias.copy_(biases)

    @property
    def _last(self) -> nn.Linear:
        return cast("nn.Linear", self.head[-1])

    @property
    def frozen(self) -> bool:
        """Whether the encoder is not trained."""
        return not any(parameter.requires_grad for parameter in self.encoder.parameters())

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a frozen encoder stays in evaluation mode, so that its features have no dropout."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        labels: Tensor | None = None,
        categories: Tensor | None = None,
        teacher: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits of shape (papers, labels), and the mean loss if targets are given.

        Inputs are (papers, tokens); in chunks they are (papers, chunks, tokens), where chunks with an
        empty mask are padding, or (chunks, tokens) of a single paper, none of them padding. `teacher` are
        the teacher's logits, shape (papers, labels).
        """
        hidden: Sequence[Tensor] = ()
        if self.chunks is not None and input_ids.ndim == 3:
            read = self._features_of_chunks(input_ids, attention_mask, token_type_ids)
        else:
            hidden = self._hidden(input_ids, attention_mask, token_type_ids)
            read = self.read(hidden, attention_mask)
        logits = self._logits(read, input_ids, attention_mask)
        return self._scored(hidden, attention_mask, read, logits, labels, categories, teacher)

    def score_states(
        self,
        hidden: Sequence[Tensor],
        weights: Tensor,
        labels: Tensor | None = None,
        categories: Tensor | None = None,
        teacher: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The same as `forward`, from states that the encoder computed before, without `ngrams`.

        The states of a layer have shape (papers, vectors, size). The first vector is the CLS state; a mean of states is
        that of all vectors, weighted by `weights`, shape (papers, vectors).
        """
        read = self.read(hidden, weights)
        return self._scored(hidden, weights, read, self.head(read), labels, categories, teacher)

    def _scored(
        self,
        hidden: Sequence[Tensor],
        weights: Tensor,
        read: Tensor,
        logits: Tensor,
        labels: Tensor | None,
        categories: Tensor | None,
        teacher: Tensor | None,
    ) -> dict[str, Tensor]:
        """The logits, and the loss of all heads if there are labels."""
        if labels is None:
            return {"logits": logits}
        loss = self.loss(logits.float(), labels)
        if self.teacher is not None and teacher is not None:
            loss = torch.lerp(loss, self.teacher(logits.float(), teacher), self.teacher.weight)
        if self.exits is not None:
            loss = loss + self.exits.loss(hidden, weights, logits.float(), labels)
        if self.auxiliary is not None and categories is not None:
            loss = loss + self.auxiliary(read, categories) / labels.shape[1]
        return {"loss": loss, "logits": logits}

    def _features_of_chunks(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Features of papers, shape (papers, size), from inputs (papers, chunks, tokens)."""
        real = attention_mask[..., 0].bool()
        hidden = self._hidden(input_ids[real], attention_mask[real], token_type_ids[real])
        read = features.read(hidden, attention_mask[real], self._features)
        placed = read.new_zeros(*real.shape, read.shape[-1])
        placed[real] = read
        return cast("Tensor", cast("ChunkJoin", self.chunks)(placed, real))

    @property
    def features_config(self) -> FeaturesConfig:
        """Which layers the head reads, and how."""
        return self._features

    def outputs(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits of papers, or of the one whose chunks these are, and the hidden states of all layers."""
        hidden = self.hidden_states(input_ids, attention_mask, token_type_ids)
        return self._logits(self.read(hidden, attention_mask), input_ids, attention_mask), hidden

    def read(self, hidden: Sequence[Tensor], attention_mask: Tensor) -> Tensor:
        """Features (papers, size) from the states of layers, of papers or of the chunks of one."""
        read = features.read(hidden, attention_mask, self._features)
        if self.chunks is None:
            return read
        only = read.unsqueeze(0)
        return cast("Tensor", self.chunks(only, torch.ones_like(only[..., 0], dtype=torch.bool)))

    def _logits(self, read: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = cast("Tensor", self.head(read))
        return logits if self.ngrams is None else self.ngrams.mixed(logits, input_ids, attention_mask)

    def hidden_states(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> tuple[Tensor, ...]:
        """The states of the embeddings and of all layers, each (papers, tokens, size)."""
        output = self._encode(input_ids, attention_mask, token_type_ids, hidden_states=True)
        return cast("tuple[Tensor, ...]", output.hidden_states)

    def _hidden(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, ...]:
        """The same, or the states of the last layer alone where no other is read."""
        several = self._features.layers > 1 or self.exits is not None
        output = self._encode(input_ids, attention_mask, token_type_ids, hidden_states=several)
        return output.hidden_states if several else (output.last_hidden_state,)

    def _encode(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None, *, hidden_states: bool
    ) -> Any:
        types = {"token_type_ids": token_type_ids} if self.token_types else {}
        return self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=hidden_states, **types
        )


def load_network(
    encoder: EncoderConfig,
    head: HeadConfig,
    labels: int,
    features_read: FeaturesConfig = FeaturesConfig(),  # noqa: B008  # frozen
    *,
    chunked: bool = False,
    exits: ExitsConfig | None = None,
) -> SubjectNetwork:
    """A network with a pretrained encoder, cut off above the highest layer that is read, and new heads.

    If `chunked`, papers are read in chunks. `source` is a hub id or a local folder of a model of
    the BERT family; ConfigError if it has too few layers, or if its files cannot be read.
    """
    config = load_config(encoder.source)
    if encoder.dropout is not None:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = encoder.dropout
    config.num_hidden_layers = _layers_kept(features_read, config.num_hidden_layers)
    body = load_body(encoder.source, config, encoder.attention)
    body.requires_grad_(not encoder.freeze)
    network = SubjectNetwork(
        body,
        config.hidden_size,
        labels,
        head,
        features_read,
        chunked=chunked,
        token_types=has_token_types(config),
    )
    if exits is not None:
        network.add_exits(exits, head, config.num_hidden_layers)
    return network


def _layers_kept(features_read: FeaturesConfig, present: int) -> int:
    kept = features_read.top or present
    if not features_read.layers <= kept <= present:
        raise ConfigError(
            f"[features] reads {features_read.layers} layers down from layer {kept}; the encoder has {present}"
        )
    return kept
