"""The training log: metrics.csv, TensorBoard scalars, lines and a bar for people."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vfm_fusion.atomic import atomic_path
from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.optimization import learning_rate_factor

ensure_torchvision()

import lightning.pytorch as pl  # noqa: E402  (it imports torchvision)

log = logging.getLogger(__name__)

COLUMNS = ("step", "loss", "loss_class", "loss_mask", "loss_dice", "lr")
"""Columns of metrics.csv: losses are weighted, summed over decoder layers, averaged since the last row."""


class LossLog(pl.Callback):
    """Averages the losses over ``log_every`` steps into one row.

    The rows are part of every checkpoint, so that a resumed run ends with the same table as an uninterrupted
    one. They hold no times; those are TensorBoard's and the log's business.
    """

    def __init__(self, recipe: TrainingConfig) -> None:
        self.recipe = recipe
        self.rows: list[list[float]] = []
        self.window: list[list[float]] = []

    def state_dict(self) -> dict[str, Any]:
        """Returns rows and the open window."""
        return {"rows": self.rows, "window": self.window}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up rows and the open window of a checkpoint."""
        self.rows = state_dict["rows"]
        self.window = state_dict["window"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Mapping[str, Any], *_: Any
    ) -> None:
        """Adds a step's losses and closes the window when a row is due."""
        self.window.append([outputs[name].detach().item() for name in COLUMNS[1:-1]])
        step = trainer.global_step
        if step % self.recipe.log_every == 0 or step == self.recipe.steps:
            self._close(trainer, step)

    def write(self, path: Path) -> None:
        """Writes the rows as CSV; floats in their shortest exact form."""
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([int(row[0]), *row[1:]] for row in self.rows)

    def _close(self, trainer: pl.Trainer, step: int) -> None:
        means = [math.fsum(column) / len(self.window) for column in zip(*self.window, strict=True)]
        rate = self.recipe.learning_rate * learning_rate_factor(step - 1, self.recipe)
        self.rows.append([step, *means, rate])
        self.window = []
        trainer.logger.log_metrics(dict(zip(COLUMNS[1:], self.rows[-1][1:], strict=True)), step)
        log.info("step %d of %d: loss %.4f, learning rate %.3g", step, self.recipe.steps, means[0], rate)


class StepBar(pl.Callback):
    """A progress bar over optimiser steps on standard error."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.bar = Progress(
            TextColumn("train"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            console=Console(stderr=True),
            transient=True,
        )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the bar, at the step where training resumes."""
        self.task = self.bar.add_task(
            "train", total=self.steps, completed=trainer.global_step, loss=float("nan")
        )
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Mapping[str, Any], *_: Any
    ) -> None:
        """Moves the bar."""
        self.bar.update(self.task, completed=trainer.global_step, loss=outputs["loss"].detach().item())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Removes the bar."""
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, *_: Any) -> None:
        """Removes the bar, so that the error stands alone."""
        self.bar.stop()
