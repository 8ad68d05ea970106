"""Several processes that train one network together, each on a device of its own, started by torchrun or accelerate."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from training.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """How many there are, and which of them this one is; a process started alone is one of one."""

    count: int = 1
    rank: int = 0

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Processes":
        """As the launcher says: `WORLD_SIZE` and `RANK`, in the words of torch.distributed."""
        return cls(int(environment.get("WORLD_SIZE", "1")), int(environment.get("RANK", "0")))

    @property
    def writes(self) -> bool:
        """Whether this is the one process that writes files and logs."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Papers of each batch that one process takes; ConfigError if they cannot be shared out evenly."""
        if batch_size % self.count:
            raise ConfigError(
                f"batch_size {batch_size} cannot be shared out evenly among {self.count} processes; "
                f"expected a multiple of {self.count}"
            )
        return batch_size // self.count


def wait_for_all() -> None:
    """Return when every process has come this far; at once if there is only one."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def part() -> None:
    """Take leave of the other processes, if there are any."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
