"""Training a run: one loop, seeded step by step, resumable bit for bit on a CPU."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import Batch, StepSampler, training_loader
from vfm_fusion.segmentation.learner import Learner
from vfm_fusion.segmentation.loss import StepTotals
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.segmentation.trained import describe_run, save_run
from vfm_fusion.training.checkpoints import Checkpoint, load_checkpoint, newest_valid, save_checkpoint
from vfm_fusion.training.divergence import DivergenceWatch
from vfm_fusion.training.loss_log import LossLog, step_bar
from vfm_fusion.training.processes import Processes, single_process
from vfm_fusion.training.signals import SIGNALS, StopRequest

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.csv"


def train_run(
    *,
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    training: TrainingConfig,
    seed: int,
    dataset: Dataset,
    out_dir: Path,
    state_dir: Path,
    token: str,
    processes: Processes | None = None,
) -> None:
    """Trains one run and writes ``model.safetensors``, ``metrics.csv``, ``run.json`` and TensorBoard logs.

    Resumes from the newest valid checkpoint in ``state_dir`` whose token matches. On SIGTERM or SIGUSR1 it
    finishes the step, saves a checkpoint and raises.

    Args:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides; none without an auxiliary.
        training: the recipe.
        seed: seed of initial weights, sampling and augmentation.
        dataset: training images and labels.
        out_dir: folder of the results, ``.../{run}/seed{seed}``; its parent names the run.
        state_dir: folder of the checkpoints; belongs to this job alone.
        token: identifies the job's settings; checkpoints of another token are not used.
        processes: this process among the ``training.devices`` that train together, see
            :mod:`~vfm_fusion.training.launch`; alone when left out. The first one writes.

    Raises:
        TrainingError: missing labels, an unresolved encoder name, a loss or gradient that is no finite
            number, a checkpoint that cannot be written, a signal.
        WeightsError: an encoder's weights are missing or do not fit.
    """
    out_dir, state_dir = Path(out_dir), Path(state_dir)
    processes = processes or single_process()
    if processes.count != training.devices:
        raise TrainingError(
            f"training.devices is {training.devices}, but {processes.count} came to train; "
            "start the processes with vfm_fusion.segmentation.job, or set training.devices to 1"
        )
    for folder in (out_dir, state_dir):
        folder.mkdir(parents=True, exist_ok=True)
    categories = len(TaskClasses.of(training.task, dataset.categories))
    with StopRequest() as stop, _kernels(training.deterministic):
        model = build_segmenter(run, encoders, strides, training.head, categories, seed)
        learner = Learner(model, categories, training, seed, processes)
        loop = TrainingLoop(learner, dataset, state_dir, token, stop)
        loop.resume()
        loop.run(out_dir)
    if not processes.first:
        return
    loop.losses.write(out_dir / METRICS_FILE)
    description = describe_run(
        name=out_dir.resolve().parent.name,
        run=run,
        encoders=encoders,
        strides=strides,
        training=training,
        seed=seed,
        categories=dataset.categories,
        model=model,
    )
    save_run(out_dir, model, description)


class TrainingLoop:
    """Steps, checkpoints and the way out.

    Attributes:
        step: optimiser steps taken.
        saved: steps that the newest checkpoint has seen.
        losses: the training log.
    """

    def __init__(
        self, learner: Learner, dataset: Dataset, state_dir: Path, token: str, stop: StopRequest
    ) -> None:
        self.learner = learner
        self.recipe = learner.recipe
        self.processes = learner.processes
        self.dataset = dataset
        self.state_dir = state_dir
        self.token = token
        self.stop = stop
        self.losses = LossLog(self.recipe)
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
            TrainingError: see :func:`train_run`.
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
        recipe, seed = self.recipe, self.learner.seed
        stream = StepSampler(
            len(self.dataset), recipe.batch_size, seed, self.step, self.processes.rank, self.processes.count
        )
        whole = StepSampler(len(self.dataset), recipe.batch_size, seed)
        watch = DivergenceWatch(recipe)
        with step_bar(self.step, recipe.steps) as bar:
            for batch in training_loader(self.dataset, recipe, seed, stream):
                losses = self.learner.differentiate(self.step, batch, self._totals_or_stop(batch))
                ids = [self.dataset.ids[index] for _, index in whole.of_step(self.step)]
                watch.check(self.step + 1, losses, ids)
                self.learner.update(self.step)
                self.step += 1
                self.losses.add(self.step, losses)
                if bar is not None:
                    bar.show(self.step, losses.loss)
                if self.step % recipe.checkpoint_every == 0 or self.step == recipe.steps:
                    self._save()
                if self.step == recipe.steps:
                    return

    def _totals_or_stop(self, batch: Batch) -> StepTotals:
        """Adds up over all processes what a step holds and whether one of them has to stop.

        Raises:
            TrainingError: one has; a checkpoint is saved before.
        """
        own = self.learner.criterion.totals(batch.labels)
        counts = [own.images, own.masks, own.matched, int(self.processes.orphaned), *self.stop.flags]
        images, masks, matched, orphans, *flags = self.processes.total(counts)
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
        return StepTotals(images, masks, matched)

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
