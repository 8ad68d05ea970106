"""A linear model of word pieces and of pairs of neighbouring ones, which stands beside the head of a network."""

import torch
from torch import Tensor, nn

# Primes: pairs are spread evenly over the buckets, and (a, b) and (b, a) have different ones.
FIRST_FACTOR, SECOND_FACTOR = 1_000_003, 7_919


class Ngrams(nn.Module):
    """The wide part of a network as in Wide & Deep Learning (Cheng et al. 2016).

    Logits are the sum of one row of weights for each word piece and each pair, over the square root of their number.
    Pairs share rows by hashing, as in fastText (Joulin et al. 2016).
    """

    def __init__(self, pieces: int, buckets: int, labels: int, share: float = 0.5) -> None:
        super().__init__()
        self.pieces = pieces
        """Word pieces of the tokenizer; their rows come first."""
        self.buckets = buckets
        self.share = share
        """Of the network's logits; its head has the rest."""
        self.weights = nn.Embedding(pieces + buckets, labels, sparse=True)
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(torch.zeros(labels))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits (papers, labels) of word pieces (papers, tokens); those outside the mask count nothing."""
        first, second = input_ids[:, :-1], input_ids[:, 1:]
        pairs = (first * FIRST_FACTOR + second * SECOND_FACTOR) % self.buckets + self.pieces
        counts = torch.cat([attention_mask, attention_mask[:, 1:]], dim=1).to(self.bias.dtype)
        rows = self.weights(torch.cat([input_ids, pairs], dim=1))
        total: Tensor = (rows * counts.unsqueeze(-1)).sum(dim=1)
        return total / counts.sum(dim=1, keepdim=True).sqrt() + self.bias

    def mixed(self, logits: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The logits of the head (papers, labels), mixed with those of this model."""
        return torch.lerp(logits, self(input_ids, attention_mask), self.share)
