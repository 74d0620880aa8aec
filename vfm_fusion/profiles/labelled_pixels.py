"""Labelled pixels of images, on the grid of a map: what a linear probe learns from and is scored on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.fitting import Size
from vfm_fusion.features.profiled import profiled_labels
from vfm_fusion.metrics.supervised import regions_on_grid


@dataclass(frozen=True)
class Labelled:
    """Labelled pixels of an image.

    Attributes:
        index: which image.
        at: ``(n,)`` int64 pixels of the grid of the finest stride.
        truth: ``(n,)`` int64 their classes.
    """

    index: int
    at: Tensor
    truth: Tensor


@dataclass(frozen=True)
class Draw:
    """How pixels of an image are drawn, the same ones at every call.

    Attributes:
        pixels: at most so many.
        seed: seed of the drawing, beside the image's id.
    """

    pixels: int
    seed: int

    def __call__(self, candidates: Tensor, image_id: str) -> Tensor:
        """Draws pixels of an image: all candidates ``(m,)``, or as many as there may be, in order."""
        if len(candidates) <= self.pixels:
            return candidates
        rng = np.random.default_rng([self.seed, zlib.crc32(image_id.encode())])
        chosen = np.sort(rng.choice(len(candidates), self.pixels, replace=False))
        return candidates[torch.from_numpy(chosen)]


def labelled_pixels(
    dataset: Dataset, position: int, setting: ImageSize | None, grid: Size, draw: Draw
) -> tuple[Labelled | None, int]:
    """Draws labelled pixels of an image, each with the class at its centre.

    Args:
        dataset: holds the image.
        position: the image.
        setting: the size at which it is profiled.
        grid: (h, w) of the map.
        draw: how pixels are drawn.

    Returns:
        The pixels, with ``position`` as their index, and how many classes there are; None where no pixel of
        the image is labelled.

    Raises:
        CorruptImageError: a label file is damaged; see :meth:`Dataset.labels`.
    """
    truth, classes = class_map(dataset, position)
    if truth is None:
        return None, 0
    on_grid = regions_on_grid(profiled_labels(truth, setting), grid).flatten()
    at = draw(torch.nonzero(on_grid >= 0)[:, 0], dataset.ids[position])
    return (Labelled(position, at, on_grid[at]) if len(at) else None), classes


def class_map(dataset: Dataset, position: int) -> tuple[np.ndarray | None, int]:
    """The class of every pixel of an image, and how many classes there are.

    Where classes are of things alone, whatever is no object is one class more: the background.

    Returns:
        ``(H0, W0)`` int64, -1 for void, and K; None and 0 where the image has no labels.

    Raises:
        CorruptImageError: a label file is damaged; see :meth:`Dataset.labels`.
    """
    semantic, instances = dataset.labels(position)
    if semantic is None and instances is None:
        return None, 0
    classes = dataset.categories
    map_of_ids = instances.classes() if semantic is None else semantic
    truth = np.where(map_of_ids < len(classes), map_of_ids.astype(np.int64), -1)
    if instances is None or not all(category.isthing for category in classes):
        return truth, len(classes)
    truth[(truth < 0) & (instances.ids == 0)] = len(classes)
    return truth, len(classes) + 1
