"""The processes that share a step (this one alone, or one for each GPU), and the signals that stop them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import distributed

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.errors import TrainingError

ensure_torchvision()

from lightning.fabric import Fabric  # noqa: E402  (it imports torchvision where that is there)
from lightning.fabric.plugins import MixedPrecision, Precision  # noqa: E402
from lightning.fabric.plugins.environments import LightningEnvironment  # noqa: E402
from lightning.fabric.strategies import DDPStrategy  # noqa: E402

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What SLURM and Snakemake send: SIGTERM before the end of a job, SIGUSR1 where ``--signal`` asks for it."""


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

    def from_first(self, value: Any) -> Any:
        """Returns what the first process passed."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def fabric(self, precision: str) -> Fabric:
        """Returns what runs a model on the devices of all processes.

        The environment is named, for the workflow starts the processes and requeues jobs of SLURM: Lightning
        must do neither.

        Args:
            precision: ``32-true``, ``bf16-mixed`` or ``16-mixed`` (float16, which scales the loss).
        """
        kind = self.device.type
        mixed = precision != "32-true"
        fabric = Fabric(
            accelerator=kind,
            devices=[self.device.index or 0] if self.count == 1 and kind == "cuda" else self.count,
            strategy="auto"
            if self.count == 1
            else DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True),
            plugins=[
                MixedPrecision(precision, kind) if mixed else Precision(),
                LightningEnvironment(),
            ],
        )
        fabric.launch()
        return fabric


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


class StopRequest:
    """Remembers the first signal that came while the block ran; the handlers before it return afterwards.

    A second signal changes nothing: a checkpoint that is being written is always finished. Outside the main
    thread, where Python allows no handlers, nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def flags(self) -> list[int]:
        """One 0 or 1 for each of :data:`SIGNALS`."""
        return [int(self.received is number) for number in SIGNALS]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)


def leave_to_parent() -> None:
    """Lets a helper process outlive a signal to its whole group; it ends with the process that it serves."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
