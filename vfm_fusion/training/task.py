"""What is trained: all that the training loop knows of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.optimization import Recipe, parameter_groups
from vfm_fusion.training.samples import Batch, Place, Sampler


class Part:
    """Samples of a step that pass through the model together.

    No dataclass, because Lightning would look into one and convert its images to the model's precision.

    Attributes:
        batch: what :meth:`Task.batch` made of them, on the device of the parameters.
        step: the step, from 0.
        progress: share of the steps that are done, in [0, 1).
        samples: number of samples of the whole step.
        first: number of the first one of this part within the step, from 0.
        count: number of samples of this part.
        totals: :meth:`Task.totals` of the whole step.
    """

    def __init__(
        self,
        batch: Any,
        step: int = 0,
        progress: float = 0.0,
        samples: int = 1,
        first: int = 0,
        count: int = 1,
        totals: tuple[int, ...] = (),
    ) -> None:
        self.batch = batch
        self.step, self.progress = step, progress
        self.samples, self.first, self.count = samples, first, count
        self.totals = totals


class Task(nn.Module, ABC):
    """A model with what it learns from and how.

    A subclass says which samples a step has, what they become, and the terms of their loss; the loop does
    the rest. To train on to the same bits after an interruption, whatever is random is drawn from the step
    (:meth:`derive`, torch's own generator in :meth:`losses`) or from a sample's place, and whatever else
    training changes is in :meth:`saved`. To train to the same result however a step is divided, terms are
    sums over samples divided by :attr:`Part.totals`, and a sample's own do not depend on its neighbours; a
    task that cannot do so says that it is not ``divisible``.

    Attributes:
        terms: names of the terms of the loss, in the order of the training log.
        divisible: whether processes and micro-batches may share a step.
        recipe: how long and how fast it is trained.
        seed: seed of all that is drawn.
    """

    terms: tuple[str, ...]
    divisible = True

    def __init__(self, recipe: Recipe, seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.seed = seed

    @abstractmethod
    def sampler(self) -> Sampler:
        """Returns what chooses the samples of a step."""

    @abstractmethod
    def batch(self, step: int, samples: Sequence[Place]) -> Batch:
        """Reads and draws what (a process's share of) a step learns from; in a worker process, maybe.

        Args:
            step: the step, from 0.
            samples: places in the stream of samples, and numbers of the samples there.
        """

    @abstractmethod
    def losses(self, part: Part) -> dict[str, Tensor]:
        """Returns the weighted :attr:`terms` of the loss, scalars, of which the sum is minimised.

        Called under the precision of the training; torch's generator is seeded for the step and process.
        """

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Writes what has been trained into the folder of the results, after the last step."""

    def totals(self, batch: Batch) -> tuple[int, ...]:
        """Counts what the terms of a step are divided by; counts of its shares are added up."""
        return ()

    def groups(self) -> list[dict[str, Any]]:
        """Returns AdamW's parameter groups."""
        return parameter_groups(self, self.recipe)

    def clipped(self) -> Iterable[nn.Parameter]:
        """Returns the parameters whose gradient is clipped, in the order in which its norm is summed up."""
        return self.parameters()

    def blank(self) -> Batch | None:
        """Returns one sample that reaches every parameter which learns; None where all of them do.

        Processes wait for one another's gradients, so they have to know which parameters have none.
        """
        return None

    def saved(self) -> dict[str, Tensor]:
        """Returns what training changes beside the optimiser, by its names in the module's state."""
        return self.state_dict()

    def after_step(self, progress: float) -> None:
        """Does what follows an optimiser step; ``progress`` is that before the step."""

    def names(self, samples: Sequence[Place]) -> list[str]:
        """Names samples in messages."""
        return [f"sample {number}" for _, number in samples]

    def derive(self, *parts: int) -> int:
        """Derives the seed of one stream of random numbers from the task's; 2 begins those of the loop."""
        state = np.random.SeedSequence([self.seed, *parts]).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(1))

    def forward(self, part: Part) -> Tensor:
        """Returns the terms in their order, ``(len(terms),)``.

        Raises:
            TrainingError: the losses are not of these terms, or one is no scalar.
        """
        losses = self.losses(part)
        if losses.keys() != set(self.terms):
            raise TrainingError(
                f"step {part.step}: {type(self).__name__}.losses gave the terms {sorted(losses)}, but its "
                f"terms are {sorted(self.terms)}"
            )
        shapes = {name: getattr(loss, "shape", type(loss).__name__) for name, loss in losses.items()}
        odd = {name: shape for name, shape in shapes.items() if shape != ()}
        if odd:
            raise TrainingError(
                f"step {part.step}: {type(self).__name__}.losses gave {odd}; expected scalar tensors, sums "
                "over the samples divided by the totals of the step"
            )
        return torch.stack([losses[name] for name in self.terms])
