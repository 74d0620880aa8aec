"""The painter's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.datasets.miniscapes.solid import Footprint


def paint_order(places: Sequence[Footprint]) -> list[int]:
    """Orders objects so that each is painted after all that it can hide.

    Of two footprints that a line parallel to an axis separates, the one on the camera's side of it can hide
    the other, never the reverse. The camera is at x = 0, z = 0. Footprints that overlap go by distance.

    Returns:
        Positions in ``places``, what is painted first in front.
    """
    if not places:
        return []
    x0, x1, z0, z1 = np.array([(p.x0, p.x1, p.z0, p.z1) for p in places]).T
    behind = z0[:, None] >= z1[None, :]  # (i, j): i lies beyond j
    beside = ((x0[:, None] >= x1[None, :]) & (x1[None, :] >= 0)) | (
        (x1[:, None] <= x0[None, :]) & (x0[None, :] <= 0)
    )  # i lies farther out than j on the same side
    before = (behind | beside) & ~(behind | beside).T  # contradicting separations hide nothing either way
    distance = (z0 + z1) / 2
    waiting = before.sum(axis=0)
    left = set(range(len(places)))
    order: list[int] = []
    while left:
        free = [i for i in left if waiting[i] == 0] or list(left)
        chosen = max(free, key=lambda i: (distance[i], -i))
        order.append(chosen)
        left.remove(chosen)
        waiting = waiting - before[chosen]
    return order
