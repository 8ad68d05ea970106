"""Long papers read in chunks, whose features are joined (Sun et al. 2019, section 5.3.1, hierarchical methods)."""

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["mean", "max", "attention"]


class ChunkJoin(nn.Module):
    """Joins the features of a paper's chunks: by mean, maximum, or attention.

    "attention" weighs chunks by softmax(w · tanh(W v)), as structured self-attention does (Lin et al. 2017).
    """

    def __init__(self, join: Join, size: int) -> None:
        super().__init__()
        self.join = join
        self.attention = (
            nn.Sequential(nn.Linear(size, size, bias=False), nn.Tanh(), nn.Linear(size, 1, bias=False))
            if join == "attention"
            else None
        )

    def forward(self, chunks: Tensor, real: Tensor) -> Tensor:
        """Features (papers, size) of chunks (papers, chunks, size); `real` (papers, chunks) is false where none is."""
        if self.join == "max":
            return chunks.masked_fill(~real.unsqueeze(-1), torch.finfo(chunks.dtype).min).amax(dim=1)
        weights = real.to(chunks.dtype)
        if self.attention is not None:
            scores = self.attention(chunks).squeeze(-1)
            weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=1)
        weighted = (chunks * weights.unsqueeze(-1)).sum(dim=1)
        return weighted / weights.sum(dim=1, keepdim=True)
