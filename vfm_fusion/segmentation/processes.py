"""The processes that share the images of a step: this one alone, or one for each GPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from vfm_fusion.errors import TrainingError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        count: how many they are.
        device: where it computes.
        parent: the process that started them, None where there is only one.
    """

    rank: int
    count: int
    device: torch.device
    parent: int | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes what all of them have computed."""
        return self.rank == 0

    @property
    def orphaned(self) -> bool:
        """Whether the process that started this one is gone."""
        return self.parent is not None and os.getppid() != self.parent

    def total(self, numbers: Sequence[int]) -> list[int]:
        """Adds whole numbers over all processes, without waiting for a GPU."""
        if self.count == 1:
            return list(numbers)
        summed = torch.tensor(numbers)
        distributed.all_reduce(summed)
        return summed.tolist()

    def add(self, values: Tensor) -> Tensor:
        """Adds a tensor over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def from_first(self, value: Any) -> Any:
        """Returns what the first process passed."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def shared(self, module: nn.Module) -> nn.Module:
        """Wraps a module whose gradients are averaged over all processes; all its parameters must get one."""
        if self.count == 1:
            return module
        with warnings.catch_warnings():  # the new name of broadcast_buffers is that of the newest torch alone
            warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
            return DistributedDataParallel(module, broadcast_buffers=False, gradient_as_bucket_view=True)


def single_process() -> Processes:
    """Returns this process as the only one, on the GPU if there is one."""
    return Processes(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def check_devices(devices: int) -> None:
    """Refuses to start on fewer GPUs than are asked for. Without any, processes share the CPU.

    Raises:
        TrainingError: there are GPUs, but fewer than ``devices``.
    """
    found = torch.cuda.device_count()
    if 0 < found < devices:
        raise TrainingError(
            f"training.devices is {devices}, but {found} GPU{'s are' if found > 1 else ' is'} visible here; "
            f"set training.devices to at most {found} (the result is the same) or ask for more GPUs"
        )
