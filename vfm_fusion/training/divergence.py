"""Noticing that a training run diverges, before it spoils the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.learner import StepLosses

_PATIENCE = 20
"""Steps in a row that a loss scaler may leave out; it halves its scale each time, from 65536 on."""


class DivergenceWatch:
    """Refuses losses and gradients that are no finite numbers.

    In float16 a few infinite gradients are the loss scaler's ordinary business: it leaves out the step and
    halves its scale.
    """

    def __init__(self, recipe: TrainingConfig) -> None:
        self.recipe = recipe
        self.left_out = 0

    def check(self, step: int, losses: StepLosses, images: Sequence[str]) -> None:
        """Passes a step that may be taken.

        Args:
            step: the step, from 1.
            losses: what it found.
            images: ids of its images.

        Raises:
            TrainingError: the loss is no finite number, or the gradient is none, in float16 for too long.
        """
        if not all(math.isfinite(value) for value in losses.terms.values()):
            raise self._error("loss", step, losses, images)
        self.left_out = 0 if math.isfinite(losses.grad_norm) else self.left_out + 1
        allowed = _PATIENCE if self.recipe.precision == "16-mixed" else 0
        if self.left_out > allowed:
            raise self._error("gradient", step, losses, images)

    def _error(self, what: str, step: int, losses: StepLosses, images: Sequence[str]) -> TrainingError:
        terms = ", ".join(f"{name} {value:g}" for name, value in losses.terms.items())
        again = f" for {self.left_out} steps in a row" if self.left_out > 1 else ""
        return TrainingError(
            f"non-finite {what} at step {step} of {self.recipe.steps}{again}: {terms}, norm of the gradient "
            f"{losses.grad_norm:g}; images of the step: {', '.join(images)}. The step was not taken. Look at "
            "these images, lower training.learning_rate, lengthen training.warmup_steps, or use "
            f"another precision than {self.recipe.precision}"
        )
