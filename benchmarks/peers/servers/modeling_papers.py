"""A classifier whose head reads several layers; transformers has none. Copied into a model's folder as its code."""

import torch
from torch import Tensor, nn
from transformers import ElectraConfig, ElectraModel, ElectraPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class PapersClassifier(ElectraPreTrainedModel):  # type: ignore[misc]  # transformers is untyped
    """Linear, ReLU, linear on the CLS state and the mean state of the last `head_layers` layers."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.electra = ElectraModel(config)
        self.dense = nn.Linear(2 * config.head_layers * config.hidden_size, config.head_hidden)
        self.out_proj = nn.Linear(config.head_hidden, config.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **_: object
    ) -> SequenceClassifierOutput:
        """Logits (texts, labels)."""
        encoded = self.electra(input_ids, attention_mask, token_type_ids, output_hidden_states=True)
        mask = attention_mask.unsqueeze(-1).to(encoded.last_hidden_state.dtype)
        vectors = [
            vector
            for states in encoded.hidden_states[-self.config.head_layers :]
            for vector in (states[:, 0], (states * mask).sum(dim=1) / mask.sum(dim=1))
        ]
        hidden = torch.relu(self.dense(torch.cat(vectors, dim=-1)))
        return SequenceClassifierOutput(logits=self.out_proj(hidden))
