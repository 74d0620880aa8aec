"""What stands in a scene."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vfm_fusion.datasets.miniscapes.canvas import Canvas
from vfm_fusion.datasets.miniscapes.solid import Footprint


class Thing(Protocol):
    """Anything that stands on the ground of a scene."""

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""

    def shadow(self) -> list[np.ndarray]:
        """Point sets ``(n, 3)``; the shadow is that of their convex hulls."""

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the object; ``sunlit`` is the share of the light that reaches it."""


def box_corners(place: Footprint, low: float, high: float) -> np.ndarray:
    """The ``(8, 3)`` corners of a block over a footprint, from ``low`` to ``high`` metres."""
    return np.array(
        [(x, y, z) for x in (place.x0, place.x1) for y in (low, high) for z in (place.z0, place.z1)]
    )
