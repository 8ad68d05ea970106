"""A frozen encoder reads each paper once: its states are kept in files, from which the heads learn in every epoch.

What heads read of a layer is its CLS state and the mean of its states. So two vectors stand for all tokens: the CLS
state, and the mean of the others, which counts as often as there are others.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from training.data.batches import EncodedPapers, batches_by_length
from training.fitting.distributed import ProcessGroup
from training.model.features import mean_state
from training.model.network import SubjectNetwork

# Papers in a file: enough that there are few files, and few enough that an interruption costs only minutes.
_IN_FILE = 4096
_BATCH = 16
_POLL_S = 1.0


class FrozenNetwork(nn.Module):
    """The heads of a network, which read states that were computed before."""

    def __init__(self, network: SubjectNetwork) -> None:
        super().__init__()
        self.network = network
        self._lowest = lowest_layer(network)

    def forward(
        self,
        states: Tensor,
        weights: Tensor,
        labels: Tensor | None = None,
        categories: Tensor | None = None,
        teacher: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits and loss, as of the network, from states (papers, layers, 2, size) and weights (papers, 2)."""
        layers = list(states.to(weights.dtype).unbind(dim=1))
        # No head reads the layers below the lowest one, whose states fill their places.
        return self.network.score_states([layers[0]] * self._lowest + layers, weights, labels, categories, teacher)


class PaperStates(Dataset[dict[str, object]]):
    """Papers as the states of their layers, with targets."""

    def __init__(self, files: Sequence[Path], papers: EncodedPapers) -> None:
        self._files = [np.load(path, mmap_mode="r") for path in files]
        self._papers = papers
        self.lengths = papers.lengths
        """Tokens of each paper."""

    def __len__(self) -> int:
        return len(self._papers)

    def __getitem__(self, index: int) -> dict[str, object]:
        others = float(self.lengths[index] - 1)
        states = torch.from_numpy(np.array(self._files[index // _IN_FILE][index % _IN_FILE]))
        return {"states": states, "weights": torch.tensor([1.0, others]), **self._papers.targets(index)}


def lowest_layer(network: SubjectNetwork) -> int:
    """The lowest layer that a head reads, counted from 1."""
    top = int(network.encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    exits = network.exits.heads if network.exits else ()
    return min([top - network.features_config.layers + 1, *map(int, exits)])


def read_by_encoder(
    network: SubjectNetwork, papers: EncodedPapers, pad_id: int, folder: Path, *, bf16: bool
) -> PaperStates:
    """Compute the states of all papers, write them below `folder`, and return them; shows a progress bar.

    Files that are there already are kept. Several processes divide the files among them, and each returns when all are
    written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    group, paths = ProcessGroup.from_environment(), _paths(folder, len(papers))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    for number in tqdm(range(group.rank, len(paths), group.world_size), desc="states", unit="file"):
        if paths[number].exists():
            continue
        rows = range(number * _IN_FILE, min((number + 1) * _IN_FILE, len(papers)))
        partial = paths[number].with_suffix(".partial")
        with partial.open("wb") as file, torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            np.save(file, _states(network, papers, rows, pad_id, device))
        partial.replace(paths[number])
    while not all(path.exists() for path in paths):
        time.sleep(_POLL_S)
    return PaperStates(paths, papers)


def _states(
    network: SubjectNetwork, papers: EncodedPapers, rows: range, pad_id: int, device: torch.device
) -> NDArray[np.float16]:
    """States (papers, layers, 2, size) of the papers in `rows`."""
    lowest = lowest_layer(network)
    found: dict[int, NDArray[np.float16]] = {}
    for batch, inputs in batches_by_length(papers, rows, _BATCH, pad_id):
        with torch.inference_mode():
            placed = {name: tensor.to(device) for name, tensor in inputs.items()}
            hidden = network.hidden_states(**placed)[lowest:]
            others = placed["attention_mask"].clone()
            others[:, 0] = 0
            states = torch.stack(
                [torch.stack([layer[:, 0].float(), mean_state(layer.float(), others)], dim=1) for layer in hidden],
                dim=1,
            )
        found.update(zip(batch, states.half().cpu().numpy(), strict=True))
    return np.stack([found[row] for row in rows])


def _paths(folder: Path, papers: int) -> list[Path]:
    return [folder / f"{number:05}.npy" for number in range(-(-papers // _IN_FILE))]
