"""The model with its loss and optimiser: what one optimiser step computes and changes."""

from __future__ import annotations

import math
from contextlib import nullcontext
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
from vfm_fusion.segmentation.optimization import learning_rate_factor, parameter_groups
from vfm_fusion.segmentation.processes import Processes
from vfm_fusion.segmentation.stochastic_depth import share_stochastic_depth

AUTOCAST = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


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
        self.part = share_stochastic_depth(model, processes.device)
        self.model = model.to(processes.device).train()
        self.criterion = MaskCriterion(categories, recipe.head).to(processes.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model, recipe), fused=True)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=recipe.precision == "16-mixed")
        self.loss_terms = self._shared_loss_terms()

    def differentiate(self, step: int, batch: Batch, totals: StepTotals) -> StepLosses:
        """Computes the clipped gradient of a step.

        Args:
            step: the step, from 0.
            batch: this process's share of the step's images, in the order of the stream.
            totals: those of the whole step.
        """
        torch.manual_seed(_seed(self.seed, 2, step, self.processes.rank))
        self.optimizer.zero_grad()
        terms = torch.zeros(len(TERMS), device=self.processes.device)
        parts = batch.split(self.recipe.accumulate)
        first = self.processes.rank * len(batch.images)
        for number, part in enumerate(parts):
            terms += self._accumulate(step, part, first, totals, last=number == len(parts) - 1)
            first += len(part.images)
        self.processes.add(terms)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip_norm)
        *found, grad_norm = torch.cat([terms, norm[None]]).tolist()  # the step's only wait for the gradient
        return StepLosses(dict(zip(TERMS, found, strict=True)), grad_norm)

    def update(self, step: int) -> None:
        """Takes the optimiser's step along the gradient; a loss scaler leaves out a non-finite one."""
        factor = learning_rate_factor(step, self.recipe)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Returns what training changes: trained parameters, optimiser and loss scaler.

        Schedule and random numbers are functions of the step and have no state.
        """
        trained = self.model.trained_names()
        return {
            "model": {name: p.detach() for name, p in self.model.named_parameters() if name in trained},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
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
        self.scaler.load_state_dict(state["scaler"])

    def _accumulate(self, step: int, part: Batch, first: int, totals: StepTotals, last: bool) -> Tensor:
        """Adds the gradient of the images of a step from ``first`` on; processes average after the last."""
        part = part.to(self.processes.device)
        images, count = self.recipe.batch_size, len(part.images)
        generators = [self._generator(step * images + first + i) for i in range(count)]
        self.part.begin(_seed(self.seed, 5, step), images, first, count)
        waits = not last and self.processes.count > 1
        with self.loss_terms.no_sync() if waits else nullcontext():
            terms = self._forward(part, totals, generators)
            loss = terms.sum() * self.processes.count  # gradients are averaged, parts of a step add up
            self.scaler.scale(loss).backward()
        return terms.detach()

    def _forward(self, part: Batch, totals: StepTotals, generators: list[Generator]) -> Tensor:
        dtype = AUTOCAST[self.recipe.precision]
        with torch.autocast(self.processes.device.type, dtype, enabled=dtype != torch.float32):
            return self.loss_terms(part.images, part.masks, part.labels, totals, generators)

    def _generator(self, position: int) -> Generator:
        return Generator(self.processes.device).manual_seed(_seed(self.seed, 4, position))

    def _shared_loss_terms(self) -> nn.Module:
        """Wraps model and loss for several processes.

        A stage of an encoder that fusion replaces may train in name only: it gets no gradient, on any
        process. One pass without targets finds such parameters, which the processes then need not exchange.
        """
        loss_terms = _LossTerms(self.model, self.criterion)
        if self.processes.count == 1:
            return loss_terms
        self.loss_terms = loss_terms
        height, width = self.recipe.augmentation.crop
        images = torch.zeros(1, 3, height, width)
        blank = Batch(images, [torch.zeros(0, height, width, dtype=torch.bool)], [torch.zeros(0).long()])
        with torch.random.fork_rng(devices=[]):
            self._forward(
                blank.to(self.processes.device), StepTotals(1, 0, 0), [self._generator(0)]
            ).sum().backward()
        unread = [p for p in self.parameters if p.grad is None]
        self.optimizer.zero_grad()
        for parameter in unread:
            parameter.requires_grad_(False)
        shared = self.processes.shared(loss_terms)
        for parameter in unread:
            parameter.requires_grad_(True)
        return shared


class _LossTerms(nn.Module):
    """Model and loss as one module, which is what processes share."""

    def __init__(self, model: FusedSegmenter, criterion: MaskCriterion) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(
        self,
        images: Tensor,
        masks: list[Tensor],
        labels: list[Tensor],
        totals: StepTotals,
        generators: list[Generator],
    ) -> Tensor:
        """Returns the terms of the loss in the order of TERMS, ``(3,)``."""
        losses = self.criterion(self.model(images), masks, labels, totals, generators)
        return torch.stack([losses[name] for name in TERMS])


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
