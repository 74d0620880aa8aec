"""The painter's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.datasets.miniscapes.camera import NEAR
from vfm_fusion.datasets.miniscapes.solid import Footprint

_OVERHANG = 2.4  # metres that crowns and lamps reach beyond their footprints


def paint_order(places: Sequence[Footprint]) -> list[int]:
    """Orders objects so that each is painted after all that it can hide.

    Of two footprints that a line parallel to an axis separates, the one on the camera's side of it can hide
    the other, never the reverse; it matters where both are in the same direction. The camera is at x = 0,
    z = 0. Footprints that overlap go by distance.

    Returns:
        Positions in ``places``, what is painted first in front.
    """
    if not places:
        return []
    x0, x1, z0, z1 = np.array([(p.x0, p.x1, p.z0, p.z1) for p in places]).T
    near = np.maximum(z0, NEAR)
    left_end = np.minimum((x0 - _OVERHANG) / near, (x0 - _OVERHANG) / z1)
    right_end = np.maximum((x1 + _OVERHANG) / near, (x1 + _OVERHANG) / z1)
    meet = (left_end[:, None] < right_end[None, :]) & (left_end[None, :] < right_end[:, None])
    behind = z0[:, None] >= z1[None, :]  # (i, j): i lies beyond j
    beside = ((x0[:, None] >= x1[None, :]) & (x1[None, :] >= 0)) | (
        (x1[:, None] <= x0[None, :]) & (x0[None, :] <= 0)
    )  # i lies farther out than j on the same side
    farther = behind | beside
    before = meet & farther & ~farther.T  # where two lines contradict each other, neither hides the other
    distance = (z0 + z1) / 2
    waiting = before.sum(axis=0)
    left = set(range(len(places)))
    order: list[int] = []
    while left:
        chosen = min(left, key=lambda i: (waiting[i], -distance[i], i))
        order.append(chosen)
        left.remove(chosen)
        waiting = waiting - before[chosen]
    return order
