"""Clicks on the errors of the model that is being trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.interactive.click_model import ClickModel, Seen
from vfm_fusion.interactive.distances import depth
from vfm_fusion.interactive.focal_loss import IGNORED


@torch.no_grad()
def click_on_errors(
    model: ClickModel,
    seen: Seen,
    points: Tensor,
    truth: Tensor,
    threshold: float,
    rounds: int,
    rngs: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    """Plays rounds of the model's predicting and of a click's correcting each prediction.

    Args:
        model: the click model; predicts in evaluation mode and has its own mode again afterwards.
        seen: what it has made of the images.
        points: ``(B, 2 P, 3)`` first clicks.
        truth: ``(B, 1, H, W)``; 1 on the object, 0 off it, :data:`~.focal_loss.IGNORED` elsewhere.
        threshold: see :func:`add_correction`.
        rounds: how many.
        rngs: random numbers of each image.

    Returns:
        ``(B, 2 P, 3)`` clicks, the last slots of a sign overwritten by later ones; and ``(B, 1, H, W)``
        probabilities before the last round's clicks, zeros where there was no round.
    """
    points, previous = points.clone(), seen.guidance.new_zeros(truth.shape)
    training = model.training
    model.eval()
    labels = truth[:, 0].cpu().numpy()
    for order in range(1, rounds + 1):
        previous = model.answer(seen, previous, points).sigmoid()
        for image, predicted in enumerate(previous[:, 0].float().cpu().numpy()):
            add_correction(points[image], order, predicted, labels[image], threshold, rngs[image])
    model.train(training)
    return points, previous


def add_correction(
    points: Tensor,
    order: int,
    predicted: np.ndarray,
    labels: np.ndarray,
    threshold: float,
    rng: np.random.Generator,
) -> None:
    """Writes a click on the deeper error into the last slots of its sign, in place.

    It lies on any pixel that is more than half as deep as the deepest error. Without error there is none.

    Args:
        points: ``(2 P, 3)``.
        order: number of the round i, from 1; the click goes to slot P - i or 2 P - i, at least the sign's
            first.
        predicted: ``(H, W)`` probabilities.
        labels: ``(H, W)`` of 0, 1, :data:`~.focal_loss.IGNORED`.
        threshold: below it a pixel of the object is missed, above it one off the object is wrong.
        rng: random numbers.
    """
    missed = depth((labels == 1) & (predicted < threshold), exact=False)
    wrong = depth((labels != 1) & (labels != IGNORED) & (predicted > threshold), exact=False)
    positive = missed.max() > wrong.max()
    chosen = missed if positive else wrong
    pixels = np.flatnonzero(chosen > chosen.max() / 2)
    if not len(pixels):
        return
    row, col = np.unravel_index(pixels[rng.integers(len(pixels))], chosen.shape)
    slots = len(points) // 2
    slot = max(slots - order, 0) + (0 if positive else slots)
    points[slot] = points.new_tensor([row, col, order])
