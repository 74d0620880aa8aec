"""What one optimiser step computes and changes, and whether it may be taken."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.optimization import learning_rate_factor
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.samples import Batch
from vfm_fusion.training.task import Part, Task

_STEP = 2
"""The stream of random numbers that a step draws from by torch's own generator."""

_PATIENCE = 20
"""Steps in a row that a loss scaler may leave out; it halves its scale each time, from 65536 on."""


@dataclass(frozen=True)
class Execution:
    """How the steps of a recipe are computed.

    Attributes:
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed`` (float16, which scales the loss).
        deterministic: take deterministic kernels on a GPU where there are any.
        accumulate: micro-batches that a process's share of a step is divided into.
        workers: processes that prepare batches.
    """

    precision: str = "32-true"
    deterministic: bool = False
    accumulate: int = 1
    workers: int = 0


@dataclass(frozen=True)
class StepLosses:
    """What a step found, over all its samples.

    Attributes:
        terms: weighted terms of the loss by name.
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

    A step's result does not depend on how its samples are divided, up to the order of floating-point sums, if
    its task keeps what :class:`~vfm_fusion.training.task.Task` asks for. Random numbers are functions of the
    step, so nothing but the number of steps has to be restored for those of a resumed run. (What a model
    drops by ``nn.Dropout`` depends on the step and the process; encoders of the registry drop nothing so.)
    """

    def __init__(self, task: Task, execution: Execution, processes: Processes) -> None:
        """Moves the task to its device and builds the optimiser.

        Args:
            task: what is trained, in place.
            execution: how steps are computed.
            processes: this process among those that share a step.

        Raises:
            TrainingError: the samples of a step cannot be divided so.
        """
        self.recipe = task.recipe
        self.execution = execution
        self.processes = processes
        self._check_shares(task)
        self.fabric = processes.fabric(execution.precision)
        self.device = self.fabric.device
        self.task = task.to(self.device).train()
        scaled = execution.precision == "16-mixed"  # a fused step unscales by itself, after the clipping
        optimizer = torch.optim.AdamW(task.groups(), fused=not scaled)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.terms, self.optimizer = self._set_up(optimizer)

    def differentiate(self, step: int, batch: Batch, totals: tuple[int, ...]) -> StepLosses:
        """Computes the clipped gradient of a step.

        Args:
            step: the step, from 0.
            batch: this process's share of the step's samples, in the order of the stream.
            totals: those of the whole step.
        """
        torch.manual_seed(self.task.derive(_STEP, step, self.processes.rank))
        self.optimizer.zero_grad()
        terms = torch.zeros(len(self.task.terms), device=self.device)
        parts = batch.split(self.execution.accumulate) if self.execution.accumulate > 1 else [batch]
        for number, part in enumerate(parts):
            waits = self.processes.count > 1 and number < len(parts) - 1
            with self.fabric.no_backward_sync(self.terms, enabled=waits):
                found = self.terms(self._part(step, part, number, totals))
                self.fabric.backward(found.sum() * self.processes.count)  # processes average, parts add up
            terms += found.detach()
        terms = self.fabric.all_reduce(terms, reduce_op="sum")
        self.fabric.strategy.precision.unscale_gradients(self.optimizer.optimizer)
        norm = nn.utils.clip_grad_norm_(self.task.clipped(), self.recipe.clip_norm)
        *values, grad_norm = torch.cat([terms, norm[None]]).tolist()  # the step's only wait for the gradient
        return StepLosses(dict(zip(self.task.terms, values, strict=True)), grad_norm)

    def update(self, step: int) -> None:
        """Takes the optimiser's step along the gradient; a loss scaler leaves out a non-finite one."""
        factor = learning_rate_factor(step, self.recipe)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        self.task.after_step(step / self.recipe.steps)

    def state_dict(self) -> dict[str, Any]:
        """Returns what training changes: that of the task, optimiser and loss scaler.

        Schedule and random numbers are functions of the step and have no state.
        """
        return {
            "task": self.task.saved(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up the state of a checkpoint.

        Raises:
            TrainingError: the checkpoint is of another model.
        """
        differing = sorted(state["task"].keys() ^ self.task.saved().keys())
        if differing:
            raise TrainingError(f"the checkpoint is of another model: {differing[:5]} differ")
        self.task.load_state_dict(state["task"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])

    def _check_shares(self, task: Task) -> None:
        devices, accumulate = self.processes.count, self.execution.accumulate
        if devices * accumulate > 1 and not task.divisible:
            raise TrainingError(
                f"{type(task).__name__} learns from all samples of a step at once, which {devices} processes "
                f"with {accumulate} micro-batches each cannot share; use one process and one micro-batch"
            )
        if self.recipe.batch_size % (devices * accumulate):
            raise TrainingError(
                f"batch_size {self.recipe.batch_size} cannot be divided among {devices} processes with "
                f"{accumulate} micro-batches each; choose divisors of batch_size"
            )

    def _part(self, step: int, batch: Batch, number: int, totals: tuple[int, ...]) -> Part:
        """The ``number``-th micro-batch of this process, on its device."""
        count = self.recipe.batch_size // (self.processes.count * self.execution.accumulate)
        return Part(
            batch=batch.to(self.device),
            step=step,
            progress=step / self.recipe.steps,
            samples=self.recipe.batch_size,
            first=(self.processes.rank * self.execution.accumulate + number) * count,
            count=count,
            totals=totals,
        )

    def _set_up(self, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Wraps task and optimiser for the precision and the processes."""
        unread = self._unread() if self.processes.count > 1 else []
        for parameter in unread:
            parameter.requires_grad_(False)
        with warnings.catch_warnings():  # the new name of broadcast_buffers is that of the newest torch alone
            warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
            module, stepping = self.fabric.setup(self.task, optimizer)
        for parameter in unread:
            parameter.requires_grad_(True)
        return module, stepping

    def _unread(self) -> list[nn.Parameter]:
        """Finds the parameters that no process reads, and which they then need not exchange.

        A stage of an encoder that fusion replaces may train in name only: it gets no gradient. One pass over
        a blank sample tells.
        """
        blank = self.task.blank()
        if blank is None:
            return []
        part = Part(blank.to(self.device), totals=self.task.totals(blank))
        with torch.random.fork_rng(devices=[]), self.fabric.autocast():
            self.task(part).sum().backward()
        unread = [p for p in self.task.parameters() if p.requires_grad and p.grad is None]
        self.task.zero_grad()
        return unread


class DivergenceWatch:
    """Refuses losses and gradients that are no finite numbers, before they spoil the weights.

    In float16 a few infinite gradients are the loss scaler's ordinary business: it leaves out the step and
    halves its scale.
    """

    def __init__(self, steps: int, precision: str) -> None:
        self.steps = steps
        self.precision = precision
        self.left_out = 0

    def check(self, step: int, losses: StepLosses, names: Sequence[str]) -> None:
        """Passes a step that may be taken.

        Args:
            step: the step, from 1.
            losses: what it found.
            names: names of its samples.

        Raises:
            TrainingError: the loss is no finite number, or the gradient is none, in float16 for too long.
        """
        if not all(math.isfinite(value) for value in losses.terms.values()):
            raise self._error("loss", step, losses, names)
        self.left_out = 0 if math.isfinite(losses.grad_norm) else self.left_out + 1
        allowed = _PATIENCE if self.precision == "16-mixed" else 0
        if self.left_out > allowed:
            raise self._error("gradient", step, losses, names)

    def _error(self, what: str, step: int, losses: StepLosses, names: Sequence[str]) -> TrainingError:
        terms = ", ".join(f"{name} {value:g}" for name, value in losses.terms.items())
        again = f" for {self.left_out} steps in a row" if self.left_out > 1 else ""
        return TrainingError(
            f"non-finite {what} at step {step} of {self.steps}{again}: {terms}, norm of the gradient "
            f"{losses.grad_norm:g}; images of the step: {', '.join(names)}. The step was not taken. Look at "
            "these images, lower the recipe's learning_rate, lengthen its warmup_steps, or use another "
            f"precision than {self.precision}"
        )
