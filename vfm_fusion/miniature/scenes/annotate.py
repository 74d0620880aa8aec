"""From what was painted where to the official label rasters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import INSTANCE_FACTOR
from vfm_fusion.miniature.scenes.canvas import Entity

UNLABELED = 0
"""Official label id of pixels that are not evaluated."""


@dataclass(frozen=True)
class Annotation:
    """The two official rasters of an image.

    Attributes:
        label_ids: ``(H, W)`` uint8.
        instance_ids: ``(H, W)`` uint16: ``label_id * 1000 + k`` for an object, else the label id.
    """

    label_ids: np.ndarray
    instance_ids: np.ndarray


def owners(entity: np.ndarray, factor: int) -> np.ndarray:
    """Reduces an entity map to the image's pixels.

    A pixel belongs to the upper median of its samples in the order of painting: what lies in front has it as
    soon as it covers half of it.

    Args:
        entity: ``(factor * H, factor * W)`` int32.
        factor: samples along each side of a pixel.

    Returns:
        ``(H, W)`` int32.
    """
    height, width = entity.shape[0] // factor, entity.shape[1] // factor
    samples = entity.reshape(height, factor, width, factor).transpose(0, 2, 1, 3)
    samples = samples.reshape(height, width, factor * factor)
    middle = factor * factor // 2
    return np.partition(samples, middle, axis=2)[..., middle]


def annotate(owner: np.ndarray, entities: list[Entity], smallest: int) -> Annotation:
    """Makes the official rasters.

    Args:
        owner: ``(H, W)`` int32, positions in ``entities``.
        entities: what was painted.
        smallest: an object with fewer visible pixels becomes unlabeled in both rasters.

    Returns:
        Objects of a class are numbered from 0 in the order of painting.
    """
    visible = np.bincount(owner.ravel(), minlength=len(entities))
    label_of = np.zeros(len(entities), np.uint8)
    instance_of = np.zeros(len(entities), np.uint16)
    counted: dict[int, int] = {}
    for number, entity in enumerate(entities):
        dropped = entity.countable and visible[number] < smallest
        label_of[number] = instance_of[number] = UNLABELED if dropped else entity.label_id
        if entity.countable and not dropped:
            rank = counted.get(entity.label_id, 0)
            counted[entity.label_id] = rank + 1
            instance_of[number] = entity.label_id * INSTANCE_FACTOR + rank
    return Annotation(label_of[owner], instance_of[owner])
