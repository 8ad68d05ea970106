"""A classifier that was fine-tuned elsewhere, as a network that can be published."""

from typing import Any, cast

from torch import Tensor, nn
from transformers import BertForSequenceClassification

from training.config import HeadConfig
from training.model.network import SubjectNetwork


class ImportedNetwork(nn.Module):
    """A sequence classifier of transformers with its own head. Ends in raw logits."""

    chunks = None
    """Papers are read in one piece."""

    def __init__(self, model: Any, *, token_types: bool) -> None:
        super().__init__()
        self._model = model
        self.token_types = token_types
        """Whether the encoder takes token types."""

    @property
    def encoder(self) -> nn.Module:
        """The model without its head."""
        return cast("nn.Module", self._model.base_model)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> dict[str, Tensor]:
        """Logits of shape (papers, labels)."""
        return {"logits": self.outputs(input_ids, attention_mask, token_type_ids)[0]}

    def outputs(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits of papers, and the hidden states of all layers."""
        types = {"token_type_ids": token_type_ids} if self.token_types else {}
        output = self._model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True, **types)
        return output.logits, output.hidden_states


Network = SubjectNetwork | ImportedNetwork
"""A network that can be published."""


def imported_network(model: Any, *, token_types: bool) -> Network:
    """The network of a classifier in evaluation mode; a BERT becomes one that has a graph written for serving."""
    if not isinstance(model, BertForSequenceClassification):
        return ImportedNetwork(model, token_types=token_types).eval()
    encoder, config = model.bert, model.config
    network = SubjectNetwork(encoder, config.hidden_size, config.num_labels, HeadConfig())
    # The pooler is the first layer of BERT's head; it reads the CLS state, as this network's features do.
    network.head = nn.Sequential(encoder.pooler.dense, nn.Tanh(), model.classifier)
    encoder.pooler = None
    return network.eval()
