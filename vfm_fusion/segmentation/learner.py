"""The model with its loss and optimiser: what one optimiser step computes and changes."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.loss import TERMS, MaskCriterion, StepTotals
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.training.optimization import learning_rate_factor, parameter_groups
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.stochastic_depth import share_stochastic_depth


@dataclass(frozen=True)
class StepLosses:
    """What a step found, over all its images.

    Attributes:
        terms: weighted terms of the loss by name, see :data:`~vfm_fusion.segmentation.loss.TERMS`.
        grad_norm: norm of the gradient of all parameters together, before clipping.
    """

    terms: dict[str, float]
    grad_norm: float

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return math.fsum(self.terms.values())


class Learner:
    """Computes the gradient of a step in micro-batches and processes, and updates the parameters.

    A step's result does not depend on how its images are divided, up to the order of floating-point sums:
    terms are divided by the totals of the whole step, every image draws its points with a generator that its
    position in the stream of samples seeds, and stochastic depth draws for all images of the step. So nothing
    but the number of steps has to be restored for the random numbers of a resumed run. (What an encoder would
    drop by ``nn.Dropout`` depends on the step and the process; those of the registry drop nothing so.)
    """

    def __init__(
        self, model: FusedSegmenter, categories: int, recipe: TrainingConfig, seed: int, processes: Processes
    ) -> None:
        """Moves the model to its device and builds loss and optimiser.

        Args:
            model: the model.
            categories: number of classes.
            recipe: the recipe.
            seed: seed of the random points.
            processes: this process among those that share a step.
        """
        self.recipe = recipe
        self.seed = seed
        self.processes = processes
        self.fabric = processes.fabric(recipe.precision)
        self.device = self.fabric.device
        self.part = share_stochastic_depth(model, self.device)
        self.model = model.to(self.device).train()
        self.criterion = MaskCriterion(categories, recipe.head).to(self.device)
        scaled = recipe.precision == "16-mixed"  # a fused step unscales by itself, after the clipping
        optimizer = torch.optim.AdamW(parameter_groups(self.model, recipe), fused=not scaled)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.loss_terms, self.optimizer = self._set_up(optimizer)

    def differentiate(self, step: int, batch: Batch, totals: StepTotals) -> StepLosses:
        """Computes the clipped gradient of a step.

        Args:
            step: the step, from 0.
            batch: this process's share of the step's images, in the order of the stream.
            totals: those of the whole step.
        """
        torch.manual_seed(_seed(self.seed, 2, step, self.processes.rank))
        self.optimizer.zero_grad()
        terms = torch.zeros(len(TERMS), device=self.device)
        parts = batch.split(self.recipe.accumulate)
        first = self.processes.rank * len(batch.images)
        for number, part in enumerate(parts):
            terms += self._accumulate(step, part, first, totals, last=number == len(parts) - 1)
            first += len(part.images)
        terms = self.fabric.all_reduce(terms, reduce_op="sum")
        norm = self.fabric.clip_gradients(
            self.loss_terms, self.optimizer, max_norm=self.recipe.clip_norm, error_if_nonfinite=False
        )
        *found, grad_norm = torch.cat([terms, norm[None]]).tolist()  # the step's only wait for the gradient
        return StepLosses(dict(zip(TERMS, found, strict=True)), grad_norm)

    def update(self, step: int) -> None:
        """Takes the optimiser's step along the gradient; a loss scaler leaves out a non-finite one."""
        factor = learning_rate_factor(step, self.recipe)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Returns what training changes: trained parameters, optimiser and loss scaler.

        Schedule and random numbers are functions of the step and have no state.
        """
        trained = self.model.trained_names()
        return {
            "model": {name: p.detach() for name, p in self.model.named_parameters() if name in trained},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up the state of a checkpoint.

        Raises:
            TrainingError: the checkpoint is of another model.
        """
        expected = self.model.trained_names()
        if state["model"].keys() != expected:
            differing = sorted(state["model"].keys() ^ expected)
            raise TrainingError(f"the checkpoint is of another model: {differing[:5]} differ")
        self.model.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])

    def _accumulate(self, step: int, part: Batch, first: int, totals: StepTotals, last: bool) -> Tensor:
        """Adds the gradient of the images of a step from ``first`` on; processes average after the last."""
        part = part.to(self.device)
        images, count = self.recipe.batch_size, len(part.images)
        generators = [self._generator(step * images + first + i) for i in range(count)]
        self.part.begin(_seed(self.seed, 5, step), images, first, count)
        waits = not last and self.processes.count > 1
        with self.fabric.no_backward_sync(self.loss_terms, enabled=waits):
            terms = self.loss_terms(_Work(part, totals, generators))
            self.fabric.backward(terms.sum() * self.processes.count)  # processes average, parts add up
        return terms.detach()

    def _generator(self, position: int) -> Generator:
        return Generator(self.device).manual_seed(_seed(self.seed, 4, position))

    def _set_up(self, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Wraps model and loss, and the optimiser, for the precision and the processes of the recipe."""
        loss_terms = _LossTerms(self.model, self.criterion)
        unread = self._unread(loss_terms) if self.processes.count > 1 else []
        for parameter in unread:
            parameter.requires_grad_(False)
        with warnings.catch_warnings():  # the new name of broadcast_buffers is that of the newest torch alone
            warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
            module, stepping = self.fabric.setup(loss_terms, optimizer)
        for parameter in unread:
            parameter.requires_grad_(True)
        return module, stepping

    def _unread(self, loss_terms: nn.Module) -> list[nn.Parameter]:
        """Finds the parameters that no process reads, and which they then need not exchange.

        A stage of an encoder that fusion replaces may train in name only: it gets no gradient. One pass
        without targets tells.
        """
        height, width = self.recipe.augmentation.crop
        images = torch.zeros(1, 3, height, width)
        blank = Batch(images, [torch.zeros(0, height, width, dtype=torch.bool)], [torch.zeros(0).long()])
        work = _Work(blank.to(self.device), StepTotals(1, 0, 0), [self._generator(0)])
        with torch.random.fork_rng(devices=[]), self.fabric.autocast():
            loss_terms(work).sum().backward()
        unread = [p for p in self.model.parameters() if p.requires_grad and p.grad is None]
        self.model.zero_grad()
        return unread


class _Work:
    """What the module below is called with: one object, whose images no precision converts on the way."""

    def __init__(self, part: Batch, totals: StepTotals, generators: list[Generator]) -> None:
        self.part = part
        self.totals = totals
        self.generators = generators


class _LossTerms(nn.Module):
    """Model and loss as one module, which is what processes share."""

    def __init__(self, model: FusedSegmenter, criterion: MaskCriterion) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(self, work: _Work) -> Tensor:
        """Returns the terms of the loss in the order of TERMS, ``(3,)``."""
        part = work.part
        losses = self.criterion(
            self.model(part.images), part.masks, part.labels, work.totals, work.generators
        )
        return torch.stack([losses[name] for name in TERMS])


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
