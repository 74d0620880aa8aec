"""The training log: metrics.csv, TensorBoard scalars, lines for people."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import TrainingError
from vfm_fusion.training.learner import StepLosses
from vfm_fusion.training.optimization import Recipe, learning_rate_factor

log = logging.getLogger(__name__)


def columns(terms: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns of metrics.csv for a loss of these terms.

    Losses are weighted (and, of segmentation, summed over decoder layers) and averaged since the last row;
    the norm of the gradient, before clipping, likewise, without the steps that a loss scaler left out.
    """
    return ("step", "loss", *terms, "grad_norm", "lr")


class LossLog:
    """Averages the losses over ``log_every`` steps into one row.

    The rows are part of every checkpoint, so that a resumed run ends with the same table as an uninterrupted
    one. They hold no times; those are TensorBoard's and the log's business.
    """

    def __init__(self, recipe: Recipe, terms: Sequence[str]) -> None:
        self.recipe = recipe
        self.terms = tuple(terms)
        self.rows: list[list[float]] = []
        self.window: list[list[float]] = []
        self.writer: SummaryWriter | None = None
        self.since, self.timed = time.perf_counter(), 0

    def open(self, folder: Path, first_step: int) -> None:
        """Begins to write TensorBoard scalars; those after ``first_step``, if any, no longer count."""
        self.writer = SummaryWriter(folder, purge_step=first_step + 1)
        self.since, self.timed = time.perf_counter(), 0

    def close(self) -> None:
        """Writes out what TensorBoard's writer holds."""
        if self.writer is not None:
            self.writer.close()

    def state_dict(self) -> dict[str, Any]:
        """Returns rows and the open window, and the terms that they are of."""
        return {"terms": list(self.terms), "rows": self.rows, "window": self.window}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up rows and the open window of a checkpoint.

        Raises:
            TrainingError: they are of other terms.
        """
        if tuple(state_dict["terms"]) != self.terms:
            raise TrainingError(
                f"the checkpoint's loss has the terms {state_dict['terms']}, the task's {list(self.terms)}; "
                "give the job another token, or remove its checkpoints"
            )
        self.rows = state_dict["rows"]
        self.window = state_dict["window"]

    def add(self, step: int, losses: StepLosses) -> None:
        """Adds the losses of the ``step``-th step and closes the window when a row is due."""
        self.timed += 1
        self.window.append([losses.loss, *(losses.terms[name] for name in self.terms), losses.grad_norm])
        if step % self.recipe.log_every == 0 or step == self.recipe.steps:
            self._end_window(step)

    def write(self, path: Path) -> None:
        """Writes the rows as CSV; floats in their shortest exact form."""
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns(self.terms))
            writer.writerows([int(row[0]), *row[1:]] for row in self.rows)

    def _end_window(self, step: int) -> None:
        means = [_mean(column) for column in zip(*self.window, strict=True)]
        rate = self.recipe.learning_rate * learning_rate_factor(step - 1, self.recipe)
        self.rows.append([step, *means, rate])
        now = time.perf_counter()
        per_step = (now - self.since) / self.timed
        self.window, self.since, self.timed = [], now, 0
        if self.writer is None:
            return
        speed = self.recipe.batch_size / per_step
        scalars = dict(zip(columns(self.terms)[1:], self.rows[-1][1:], strict=True)) | {
            "images_per_second": speed
        }
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)
        log.info(
            "step %d of %d: loss %.4f, gradient %.3g, learning rate %.3g, %.3g images/s, %s left",
            step,
            self.recipe.steps,
            means[0],
            means[-1],
            rate,
            speed,
            timedelta(seconds=round(per_step * (self.recipe.steps - step))),
        )


def _mean(values: tuple[float, ...]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.inf
