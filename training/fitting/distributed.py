"""Data-parallel training: several processes, each on a device of its own, started by torchrun or accelerate."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from training.errors import ConfigError


@dataclass(frozen=True)
class ProcessGroup:
    """The number of processes and this process's rank; a process started alone has world size 1 and rank 0."""

    world_size: int = 1
    rank: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ProcessGroup":
        """Read `WORLD_SIZE` and `RANK`, the variables that torchrun and accelerate set."""
        return cls(int(environment.get("WORLD_SIZE", "1")), int(environment.get("RANK", "0")))

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def per_process(self, batch_size: int) -> int:
        """Papers of each batch that one process takes; ConfigError if the batch cannot be divided evenly."""
        if batch_size % self.world_size:
            raise ConfigError(
                f"batch_size {batch_size} cannot be divided evenly among {self.world_size} processes; "
                f"expected a multiple of {self.world_size}"
            )
        return batch_size // self.world_size


def wait_for_all() -> None:
    """Wait until every process has reached this point; return at once if there is only one."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def destroy_process_group() -> None:
    """Leave the process group, if there is one; torch warns about groups that are left open at exit."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
