"""The pinhole camera: metres to pixels.

World axes: x to the right, y up, z forward, in metres; the camera stands at (0, eye, 0) and looks along z. A
gentle bend of the road is a shear, x + bend * z**2, that every point goes through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.8
"""Distance in metres of the near plane; what lies before it is cut off."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over a flat ground.

    Attributes:
        width, height: size of the canvas in pixels.
        focal: focal length in pixels.
        center: column of the optical axis.
        horizon: row of the horizon.
        eye: height above the ground in metres.
        bend: curvature of the road in 1/m.
    """

    width: int
    height: int
    focal: float
    center: float
    horizon: float
    eye: float
    bend: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Projects ``(n, 3)`` points with z > 0 to ``(n, 2)`` pixel coordinates (column, row)."""
        scale = self.focal / points[:, 2]
        pixels = np.empty((len(points), 2))
        pixels[:, 0] = self.center + scale * (points[:, 0] + self.bend * points[:, 2] ** 2)
        pixels[:, 1] = self.horizon + scale * (self.eye - points[:, 1])
        return pixels

    def plane_to_pixels(self, corner: np.ndarray, right: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Homography of a rectangle in space.

        Args:
            corner: ``(3,)`` where (s, t) = (0, 0).
            right: ``(3,)`` where (1, 0) lies.
            up: ``(3,)`` where (0, 1) lies.

        Returns:
            ``(3, 3)`` matrix from (s, t, 1) to homogeneous (column, row, 1).
        """
        bent = np.stack([right, up, corner])
        bent[:, 0] += self.bend * bent[:, 2] ** 2
        bent[:2] -= bent[2]
        bent[2, 1] -= self.eye
        intrinsics = np.array([[self.focal, 0.0, self.center], [0.0, -self.focal, self.horizon], [0, 0, 1]])
        return intrinsics @ bent.T

    def ground(self) -> tuple[int, np.ndarray, np.ndarray]:
        """Inverts the projection for the ground.

        Returns:
            The first row below the horizon, and for it and all rows below x ``(rows, width)`` and z
            ``(rows, 1)`` in metres, float32.
        """
        first = int(np.floor(self.horizon)) + 1
        rows = np.arange(first, self.height, dtype=np.float32)[:, None] + 0.5
        z = (self.focal * self.eye / (rows - self.horizon)).astype(np.float32)
        columns = np.arange(self.width, dtype=np.float32)[None, :] + 0.5
        x = (columns - self.center) * z / self.focal - self.bend * z**2
        return first, x.astype(np.float32), z


def clip_near(points: np.ndarray) -> np.ndarray:
    """Cuts the part of an ``(n, 3)`` polygon off that lies before the near plane; may return no point."""
    if points[:, 2].min() >= NEAR:
        return points
    inside = points[:, 2] >= NEAR
    kept = []
    for here, there, here_in, there_in in zip(
        points, np.roll(points, -1, axis=0), inside, np.roll(inside, -1), strict=True
    ):
        if here_in:
            kept.append(here)
        if here_in != there_in:
            kept.append(here + (there - here) * (NEAR - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)
