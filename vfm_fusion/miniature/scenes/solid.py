"""Objects in their own axes, and prisms as the bodies of vehicles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color


@dataclass(frozen=True)
class Pose:
    """Where an object stands and where it faces.

    Attributes:
        x, z: position on the ground in metres.
        yaw: heading in radians; 0 = away from the camera, pi = towards it, pi / 2 = to the right.
    """

    x: float
    z: float
    yaw: float = 0.0

    def world(self, local: np.ndarray | list[tuple[float, float, float]]) -> np.ndarray:
        """Turns ``(n, 3)`` points (to the right, up, forward) into world coordinates."""
        right, up, forward = np.asarray(local, np.float64).T
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        points = np.empty((len(up), 3))
        points[:, 0] = self.x + right * cos + forward * sin
        points[:, 1] = up
        points[:, 2] = self.z - right * sin + forward * cos
        return points


@dataclass(frozen=True)
class Footprint:
    """The ground that an object stands on, in metres; it decides the order of painting."""

    x0: float
    x1: float
    z0: float
    z1: float


def footprint(pose: Pose, half_width: float, half_length: float) -> Footprint:
    """Footprint of an object of twice these measures; its length lies along its heading."""
    cos, sin = abs(np.cos(pose.yaw)), abs(np.sin(pose.yaw))
    half_x = half_width * cos + half_length * sin
    half_z = half_width * sin + half_length * cos
    return Footprint(pose.x - half_x, pose.x + half_x, pose.z - half_z, pose.z + half_z)


class Prism:
    """A convex side view, extruded to both sides; the visible faces are painted far to near.

    Args:
        canvas: where to paint.
        pose: of the object.
        profile: corners (forward, up, half width) of the side view, in order.
        sunlit: share of the sun's light that reaches the object.
    """

    def __init__(
        self, canvas: Canvas, pose: Pose, profile: list[tuple[float, float, float]], sunlit: float
    ) -> None:
        self._canvas = canvas
        self._sunlit = sunlit
        self._eye = np.array([0.0, canvas.camera.eye, 0.0])
        forward, up, half = np.array(profile).T
        self._left = pose.world(np.stack([-half, up, forward], axis=1))
        self._right = pose.world(np.stack([half, up, forward], axis=1))
        self._middle = (self._left.mean(axis=0) + self._right.mean(axis=0)) / 2

    def paint(self, color: Color) -> None:
        """Paints every face that the camera sees."""
        strips = [
            np.stack([self._left[i], self._left[i - 1], self._right[i - 1], self._right[i]])
            for i in range(len(self._left))
        ]
        for face in sorted([*strips, self._left, self._right], key=lambda face: -_middle(face)[2]):
            self.decal(face, color)

    def decal(self, face: np.ndarray, color: Color) -> bool:
        """Paints an ``(n, 3)`` polygon of the surface if it faces the camera; returns whether it does."""
        middle = _middle(face)
        normal = self._normal(face, middle)
        if float(normal @ (self._eye - middle)) <= 0:
            return False
        self._canvas.polygon(face, color, self._canvas.look.shade(normal) * self._sunlit)
        return True

    def _normal(self, face: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """Outward normal of an ``(n, 3)`` polygon, n >= 3; not of unit length."""
        (ax, ay, az), (bx, by, bz) = (face[1] - face[0]).tolist(), (face[2] - face[0]).tolist()
        normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
        return normal if float(normal @ (middle - self._middle)) >= 0 else -normal

    @property
    def distance(self) -> float:
        """Distance of the middle from the camera along z, in metres."""
        return float(self._middle[2])


def _middle(face: np.ndarray) -> np.ndarray:
    """Mean of ``(n, 3)`` points."""
    return np.add.reduce(face, axis=0) / len(face)


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
