"""Training a run: one loop, seeded step by step, resumable bit for bit on a CPU."""

from __future__ import annotations

import logging
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.checkpoints import CheckpointWriter, newest_valid
from vfm_fusion.segmentation.data import Batch, StepSampler
from vfm_fusion.segmentation.loader import training_loader
from vfm_fusion.segmentation.loss import MaskCriterion
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.optimization import learning_rate_factor, parameter_groups
from vfm_fusion.segmentation.progress import LossLog, StepBar
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.segmentation.trained import describe_run, save_run

ensure_torchvision()

import lightning.pytorch as pl  # noqa: E402  (it imports torchvision)
from lightning.pytorch.loggers import TensorBoardLogger  # noqa: E402
from lightning.pytorch.plugins.environments import LightningEnvironment  # noqa: E402
from lightning.pytorch.utilities.exceptions import SIGTERMException  # noqa: E402

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.csv"


class SegmentationTask(pl.LightningModule):
    """The model with its loss and optimiser.

    Every step draws its random numbers (points, stochastic depth) from a seed of its own, so that nothing but
    the step's number has to be restored when a run resumes.
    """

    def __init__(self, model: FusedSegmenter, recipe: TrainingConfig, categories: int, seed: int) -> None:
        super().__init__()
        self.model = model
        self.criterion = MaskCriterion(categories, recipe.head)
        self.recipe = recipe
        self.seed = seed

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the step."""
        torch.manual_seed(_step_seed(self.seed, self.global_step))

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Returns the loss and its terms.

        Raises:
            TrainingError: the loss is NaN or infinite.
        """
        losses = self.criterion(self.model(batch.images), batch.masks, batch.labels)
        if not math.isfinite(losses["loss"].item()):
            found = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
            raise TrainingError(
                f"non-finite loss at step {self.global_step + 1}: {found}; lower training.learning_rate, "
                "lengthen training.warmup_steps, or use precision 32-true"
            )
        return {name: value if name == "loss" else value.detach() for name, value in losses.items()}

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW and the per-step schedule."""
        fused = self.recipe.precision == "32-true"  # Lightning cannot clip for a fused step otherwise
        optimizer = torch.optim.AdamW(parameter_groups(self.model, self.recipe), fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, self.recipe)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves out everything that training does not change, frozen encoders above all."""
        trained = {f"model.{name}" for name in self.model.trained_names()}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: state[name] for name in state if name in trained}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the untrained part back in place of what was left out on saving.

        Raises:
            TrainingError: the checkpoint is of another model.
        """
        expected = {f"model.{name}" for name in self.model.trained_names()}
        if checkpoint["state_dict"].keys() != expected:
            differing = sorted(checkpoint["state_dict"].keys() ^ expected)
            raise TrainingError(f"the checkpoint is of another model: {differing[:5]} differ")
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}


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
) -> None:
    """Trains one run and writes ``model.safetensors``, ``metrics.csv``, ``run.json`` and TensorBoard logs.

    Resumes from the newest valid checkpoint in ``state_dir`` whose token matches.

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

    Raises:
        TrainingError: missing labels, an unresolved encoder name, a non-finite loss, a termination.
        WeightsError: an encoder's weights are missing or do not fit.
    """
    out_dir, state_dir = Path(out_dir), Path(state_dir)
    for folder in (out_dir, state_dir):
        folder.mkdir(parents=True, exist_ok=True)
    categories = len(TaskClasses.of(training.task, dataset.categories))
    model = build_segmenter(run, encoders, strides, training.head, categories, seed)
    start = newest_valid(state_dir, token)
    first_step = 0 if start is None else start.step
    losses = LossLog(training)
    with _quiet_lightning():
        trainer = _trainer(training, out_dir, state_dir, token, losses, first_step)
        log.info(
            "%s: steps %d to %d on %s", out_dir, first_step, training.steps, trainer.strategy.root_device
        )
        try:
            trainer.fit(
                SegmentationTask(model, training, categories, seed),
                training_loader(
                    dataset,
                    training,
                    seed,
                    StepSampler(len(dataset), training.batch_size, seed, first_step),
                ),
                ckpt_path=None if start is None else start.path,
                weights_only=True,
            )
        except SIGTERMException as error:  # a SystemExit that reports success
            raise TrainingError(
                f"terminated at step {trainer.global_step} of {training.steps}; the same command resumes"
            ) from error
    losses.write(out_dir / METRICS_FILE)
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


def _trainer(
    recipe: TrainingConfig, out_dir: Path, state_dir: Path, token: str, losses: LossLog, first_step: int
) -> pl.Trainer:
    callbacks: list[pl.Callback] = [
        losses,
        CheckpointWriter(state_dir, token, recipe.checkpoint_every, recipe.steps),
    ]
    if sys.stderr.isatty():
        callbacks.append(StepBar(recipe.steps))
    return pl.Trainer(
        accelerator="auto",
        devices=1,
        precision=recipe.precision,
        max_steps=recipe.steps,
        max_epochs=-1,
        gradient_clip_val=recipe.clip_norm,
        gradient_clip_algorithm="norm",
        callbacks=callbacks,
        logger=TensorBoardLogger(out_dir, name="tensorboard", version="", purge_step=first_step + 1),
        default_root_dir=state_dir,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        plugins=[LightningEnvironment()],  # the workflow requeues SLURM jobs, Lightning must not
    )


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 2, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Drops what Lightning says about unused hardware, worker counts, frozen modules and its products."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*module\\(s\\) in eval mode.*")
            warnings.filterwarnings("ignore", message=".*`isinstance\\(treespec, LeafSpec\\)`.*")
            yield
    finally:
        logger.setLevel(level)
