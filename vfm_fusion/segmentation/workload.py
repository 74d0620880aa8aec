"""Random images and objects, and the optimiser step that cost and speed are measured with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.learner import Learner
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.training.processes import Processes

OBJECTS = 12
"""Objects of each image: boxes of a third of its sides."""


def random_batch(images: int, size: tuple[int, int], categories: int, device: torch.device) -> Batch:
    """Draws a batch of images of ``size`` = (H, W) on a device; image k has always the same objects."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(images, 3, *size, generator=generator)
    labels = torch.arange(OBJECTS) % categories
    return Batch(drawn, [_boxes(size, seed) for seed in range(images)], [labels] * images).to(device)


def training_step(
    model: FusedSegmenter, batch: Batch, categories: int, recipe: TrainingConfig
) -> Callable[[], None]:
    """Returns what one device does in a step of the recipe, without what devices tell each other.

    Args:
        model: the model; it is moved to the device of the batch and put in training mode.
        batch: the device's share of a step's images, all micro-batches together.
        categories: number of classes.
        recipe: the recipe.
    """
    learner = Learner(model, categories, recipe, 0, Processes(0, 1, batch.images.device))
    totals = learner.criterion.totals(batch.labels)

    def step() -> None:
        learner.differentiate(0, batch, totals)
        learner.update(0)

    return step


def _boxes(size: tuple[int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(OBJECTS, *size, dtype=torch.bool)
    for mask in masks:
        top, left = (int(torch.randint(0, side - side // 3, (1,), generator=generator)) for side in size)
        mask[top : top + size[0] // 3, left : left + size[1] // 3] = True
    return masks
