"""The training loop: one for all tasks, seeded step by step, resumable bit for bit on a CPU."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.checkpoints import Checkpoint, load_checkpoint, newest_valid, save_checkpoint
from vfm_fusion.training.learner import DivergenceWatch, Execution, Learner
from vfm_fusion.training.loss_log import LossLog
from vfm_fusion.training.processes import Processes, single_process
from vfm_fusion.training.samples import Batch, loaded_steps
from vfm_fusion.training.signals import SIGNALS, StopRequest
from vfm_fusion.training.task import Task
from vfm_fusion.workflow.progress import TERMINAL, Pace

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.csv"


def train(
    make: Callable[[], Task],
    *,
    out_dir: Path,
    state_dir: Path,
    token: str,
    execution: Execution | None = None,
    processes: Processes | None = None,
) -> Task:
    """Trains a task to its last step and writes ``metrics.csv``, TensorBoard logs and what the task writes.

    Resumes from the newest valid checkpoint in ``state_dir`` whose token matches. On SIGTERM, SIGUSR1 or
    SIGINT (Ctrl-C) it finishes the step, saves a checkpoint and raises.

    Args:
        make: builds the task; called once signals are listened to.
        out_dir: folder of the results.
        state_dir: folder of the checkpoints; belongs to this job alone.
        token: identifies the job's settings; checkpoints of another token are not used.
        execution: how steps are computed; in float32, whole, when left out.
        processes: this process among those that train together, see :mod:`~vfm_fusion.training.launch`;
            alone when left out. The first one writes.

    Returns:
        The task, trained, in training mode, on its device.

    Raises:
        TrainingError: a loss or gradient that is no finite number, a checkpoint that cannot be written, a
            signal, a step that cannot be shared so.
    """
    execution, processes = execution or Execution(), processes or single_process()
    for folder in (out_dir, state_dir):
        folder.mkdir(parents=True, exist_ok=True)
    with StopRequest() as stop, _kernels(execution.deterministic):
        task = make()
        loop = TrainingLoop(Learner(task, execution, processes), state_dir, token, stop)
        loop.resume()
        loop.run(out_dir)
    if processes.first:
        loop.losses.write(out_dir / METRICS_FILE)
        task.write(out_dir)
    return task


class TrainingLoop:
    """Steps, checkpoints and the way out.

    Attributes:
        step: optimiser steps taken.
        saved: steps that the newest checkpoint has seen.
        losses: the training log.
    """

    def __init__(self, learner: Learner, state_dir: Path, token: str, stop: StopRequest) -> None:
        self.learner = learner
        self.task = learner.task
        self.recipe = learner.recipe
        self.processes = learner.processes
        self.state_dir = state_dir
        self.token = token
        self.stop = stop
        self.losses = LossLog(self.recipe, self.task.terms)
        self.step = self.saved = 0

    def resume(self) -> None:
        """Takes up the newest valid checkpoint, which the first process looks for.

        Raises:
            TrainingError: it is of another model.
        """
        first = self.processes.first
        found = newest_valid(self.state_dir, self.token) if first else None
        found = self.processes.from_first(None if found is None else (str(found.path), found.step))
        if found is None:
            return
        checkpoint = Checkpoint(Path(found[0]), found[1])
        state = load_checkpoint(checkpoint)
        self.learner.load_state_dict(state["learner"])
        self.losses.load_state_dict(state["losses"])
        self.step = self.saved = checkpoint.step

    def run(self, out_dir: Path) -> None:
        """Trains to the last step.

        Args:
            out_dir: gets the folder ``tensorboard``.

        Raises:
            TrainingError: see :func:`train`.
        """
        if self.step == self.recipe.steps:
            log.info("%s: all %d steps are done", out_dir, self.step)
            return
        log.info(
            "%s: steps %d to %d on %d x %s",
            out_dir,
            self.step,
            self.recipe.steps,
            self.processes.count,
            self.processes.device.type,
        )
        if self.processes.first:
            self.losses.open(out_dir / "tensorboard", self.step)
        try:
            self._take_steps()
        finally:
            self.losses.close()

    def _take_steps(self) -> None:
        steps, execution, sampler = self.recipe.steps, self.learner.execution, self.task.sampler()
        watch = DivergenceWatch(steps, execution.precision)
        loaded = loaded_steps(
            self.task.batch,
            sampler,
            range(self.step, steps),
            execution.workers,
            self.recipe.batch_size,
            self.processes.rank,
            self.processes.count,
        )
        pace = Pace(steps, self.step)
        with loaded as batches:
            for batch in batches:
                losses = self.learner.differentiate(self.step, batch, self._totals_or_stop(batch))
                watch.check(self.step + 1, losses, self.task.names(sampler.of_step(self.step)))
                self.learner.update(self.step)
                self.step += 1
                self.losses.add(self.step, losses)
                left = pace.left(self.step)
                if left is not None:
                    TERMINAL.info("step %d of %d, loss %.3f, %s left", self.step, steps, losses.loss, left)
                if self.step % self.recipe.checkpoint_every == 0 or self.step == steps:
                    self._save()

    def _totals_or_stop(self, batch: Batch) -> tuple[int, ...]:
        """Adds up over all processes what a step holds and whether one of them has to stop.

        Raises:
            TrainingError: one has; a checkpoint is saved before.
        """
        counts = [int(self.processes.orphaned), *self.stop.flags, *self.task.totals(batch)]
        orphans, *others = self.processes.total(counts)
        flags, totals = others[: len(SIGNALS)], others[len(SIGNALS) :]
        if orphans:
            raise TrainingError(
                f"the process that started this one ended after step {self.step} of {self.recipe.steps}; "
                "the same command resumes"
            )
        if any(flags):
            name = next(number.name for number, flag in zip(SIGNALS, flags, strict=True) if flag)
            self._save()
            kept = "saved" if self.saved else "nothing to save"
            raise TrainingError(
                f"stopped by {name} after step {self.step} of {self.recipe.steps}; {kept}; the same command "
                "resumes"
            )
        return tuple(totals)

    def _save(self) -> None:
        """Saves a checkpoint unless there is one of this step; no process goes on before it is written."""
        if self.step == self.saved:
            return
        if self.processes.first:
            state = {"learner": self.learner.state_dict(), "losses": self.losses.state_dict()}
            save_checkpoint(self.state_dir, self.token, self.step, state)
        self.processes.total([0])
        self.saved = self.step


@contextmanager
def _kernels(deterministic: bool) -> Iterator[None]:
    """Chooses deterministic kernels on a GPU where there are any, for the time of the block.

    torch has no deterministic backward pass of bilinear sampling (``grid_sample``) on a GPU, without which
    there is neither deformable attention nor the loss at points: it warns of it instead of giving up.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by cuBLAS
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
