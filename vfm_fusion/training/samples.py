"""Which samples a step learns from, in what order, and their way to the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.signals import leave_to_parent

Place = tuple[int, int]
"""A place in the stream of training samples, from 0, and the number of the sample there."""


class Sampler(Protocol):
    """Chooses the samples of each step; the choice is a function of the step alone.

    :class:`StepSampler` shows all samples equally often. A task may give another one, for rare classes or for
    a mixture of sources.
    """

    def of_step(self, step: int) -> list[Place]:
        """Returns the samples of a step, as many as the recipe's batch has."""


class StepSampler:
    """A seeded stream of samples, a concatenation of permutations, one an epoch, each from its own seed.

    Step ``t`` holds the places ``t * batch_size`` to ``(t + 1) * batch_size - 1``.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        """Describes the stream.

        Args:
            count: number of samples there are.
            batch_size: samples of a step.
            seed: seed of the permutations.
        """
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = -1

    def of_step(self, step: int) -> list[Place]:
        """Returns the samples of a step."""
        first = step * self.batch_size
        return [(place, self._number(place)) for place in range(first, first + self.batch_size)]

    def _number(self, place: int) -> int:
        epoch, position = divmod(place, self.count)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = np.random.default_rng([self.seed, 0, epoch]).permutation(self.count)
        return int(self.order[position])


B = TypeVar("B", bound="Batch")


class Batch(Protocol):
    """What several samples have become."""

    def to(self: B, device: torch.device) -> B:
        """Moves the batch to a device."""

    def split(self: B, parts: int) -> list[B]:
        """Divides the batch into ``parts`` of as many samples each, in their order."""


class TensorBatch(dict[str, Tensor]):
    """Tensors by name; the first axis of each counts the samples."""

    def to(self, device: torch.device) -> TensorBatch:
        """Moves the batch to a device; from page-locked memory while the program goes on."""
        return TensorBatch({k: v.to(device, non_blocking=v.is_pinned()) for k, v in self.items()})

    def split(self, parts: int) -> list[TensorBatch]:
        """Divides the batch into ``parts`` of as many samples each, in their order."""
        columns = [value.tensor_split(parts) for value in self.values()]
        return [TensorBatch(zip(self, row, strict=True)) for row in zip(*columns, strict=True)]


@contextmanager
def loaded_steps(
    batch: Callable[[int, Sequence[Place]], Batch],
    sampler: Sampler,
    steps: range,
    workers: int,
    batch_size: int,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[Iterator[Batch]]:
    """Loads this process's share of each step, for the time of the block.

    Worker processes end with the block, whatever ends it. They pass over the signal by which Python would end
    them on its way out, so a program with an error would wait for them for ever.

    Args:
        batch: makes a batch of a step and its samples, see :meth:`~vfm_fusion.training.task.Task.batch`.
        sampler: chooses the samples.
        steps: the steps, in their order.
        workers: further processes that prepare batches; the batches do not depend on them.
        batch_size: samples of a step.
        rank: number of this process, from 0.
        processes: those that share a step, in equal parts in the order of their ranks.

    Raises:
        TrainingError: while loading, the sampler chooses another number of samples.
    """
    loader = DataLoader(
        _Shares(batch, sampler, batch_size, rank, processes),
        batch_size=None,
        sampler=steps,
        collate_fn=_same,
        num_workers=workers,
        worker_init_fn=_serve,
        pin_memory=torch.cuda.is_available(),
    )
    batches = iter(loader)
    try:
        yield batches
    finally:
        if workers:
            batches._shutdown_workers()


class _Shares(TorchDataset[Batch]):
    """The batch of one process at each step."""

    def __init__(
        self,
        batch: Callable[[int, Sequence[Place]], Batch],
        sampler: Sampler,
        batch_size: int,
        rank: int,
        count: int,
    ) -> None:
        self.batch, self.sampler, self.batch_size = batch, sampler, batch_size
        self.rank, self.count = rank, count

    def __getitem__(self, step: int) -> Batch:
        samples = self.sampler.of_step(step)
        if len(samples) != self.batch_size:
            raise TrainingError(
                f"step {step}: {type(self.sampler).__name__}.of_step chose {len(samples)} samples, expected "
                f"the recipe's batch_size of {self.batch_size}"
            )
        share = len(samples) // self.count
        return self.batch(step, samples[self.rank * share : (self.rank + 1) * share])


def _same(batch: Batch) -> Batch:
    return batch


def _serve(worker: int) -> None:
    """Keeps OpenCV from starting threads in a worker, as PyTorch keeps itself, and signals from ending it."""
    cv2.setNumThreads(0)
    leave_to_parent()
