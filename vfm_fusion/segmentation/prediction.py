"""What is predicted of one image: plain arrays, so that scoring them needs no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PredictedInstances:
    """Scored objects of one image, most confident first.

    Attributes:
        masks: ``(n, H, W)`` bool; none is empty.
        categories: ``(n,)`` int64 train ids.
        scores: ``(n,)`` float32 in [0, 1].
    """

    masks: np.ndarray
    categories: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Segment:
    """One segment of a panoptic map.

    Attributes:
        id: its value in the map, from 1.
        category: train id.
        isthing: whether it is an object.
    """

    id: int
    category: int
    isthing: bool


@dataclass(frozen=True)
class Prediction:
    """What a task predicts for one image, at its own size: ``panoptic`` everything, the others one part.

    Attributes:
        semantic: ``(H, W)`` uint8 train ids; None for ``instance``.
        instances: scored objects; None for ``semantic``.
        panoptic: ``(H, W)`` int32 segment ids, 0 where nothing was confident enough; only for ``panoptic``.
        segments: the segments of the panoptic map; None without one.
    """

    semantic: np.ndarray | None
    instances: PredictedInstances | None
    panoptic: np.ndarray | None
    segments: tuple[Segment, ...] | None
