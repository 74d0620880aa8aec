"""Painting in space: every primitive goes into the picture and into the map of what is seen where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.miniature.scenes.camera import NEAR, Camera, clip_near
from vfm_fusion.miniature.scenes.look import Color, Look
from vfm_fusion.miniature.scenes.noise import sample

_SHIFT = 4  # cv2's fixed-point bits: a 16th of a pixel
_LEAVES_PER_METRE = 14
_FARTHEST_PIXEL = 30_000.0  # coordinates are held to what cv2's fixed point can take

Shader = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(s, t) in metres, ``(n,)`` each -> ``(n, 3)`` colours; NaN where the surface has a hole."""


@dataclass(frozen=True)
class Entity:
    """What a number in the canvas's entity map stands for.

    Attributes:
        label_id: official Cityscapes label id.
        countable: True for an object of its own, False for stuff and for a group.
    """

    label_id: int
    countable: bool


class Canvas:
    """A picture under construction; later paint covers earlier paint.

    Attributes:
        color: ``(H, W, 3)`` float32 RGB, 1 = white.
        entity: ``(H, W)`` int32, positions in ``entities``.
        entities: what has been painted, in order.
    """

    def __init__(self, camera: Camera, look: Look) -> None:
        self.camera = camera
        self.look = look
        self.color = np.zeros((camera.height, camera.width, 3), np.float32)
        self.entity = np.zeros((camera.height, camera.width), np.int32)
        self.entities: list[Entity] = []

    def begin(self, label_id: int, *, countable: bool = False) -> int:
        """Starts an entity; what is painted from here on belongs to it. Returns its number."""
        self.entities.append(Entity(label_id, countable))
        return len(self.entities) - 1

    def polygon(self, points: np.ndarray, color: Color, shade: float = 1.0) -> None:
        """Paints a flat ``(n, 3)`` polygon in one colour."""
        points = clip_near(points)
        if len(points) >= 3:
            self._fill(self.camera.project(points), self.look.flat_tone(color, shade, _middle(points)))

    def claim(self, points: np.ndarray) -> None:
        """Labels an ``(n, 3)`` polygon without painting it: what is seen through belongs to the object.

        Cityscapes annotates holes, such as those between spokes, as the object around them.
        """
        points = clip_near(points)
        if len(points) >= 3:
            cv2.fillPoly(self.entity, [_fixed(self.camera.project(points))], self._current, shift=_SHIFT)

    def capsule(
        self, start: np.ndarray, end: np.ndarray, radii: tuple[float, float], color: Color, shade: float = 1.0
    ) -> None:
        """Paints a limb: the hull of two balls at ``(3,)`` points, lighter on the side of the sun."""
        ends = np.stack([start, end])
        if ends[:, 2].min() < NEAR:
            return
        centers = self.camera.project(ends)
        sizes = np.maximum(np.array(radii) * self.camera.focal / ends[:, 2], 0.5)
        tone = self.look.flat_tone(color, shade, _middle(ends))
        self._fill(_hull(centers, sizes), _scaled(tone, 0.92))
        if sizes.max() >= 2.0:
            offset = 0.3 * sizes[:, None] * np.array([np.sign(self.look.sun[0]), -0.4])
            lit = _fixed(_hull(centers + offset, 0.55 * sizes))
            cv2.fillPoly(self.color, [lit], _scaled(tone, 1.0 + 0.3 * self.look.diffuse), shift=_SHIFT)

    def line(
        self, points: np.ndarray, width: float, color: Color, *, closed: bool = False, shade: float = 1.0
    ) -> None:
        """Paints a wire through ``(n, 3)`` points, ``width`` metres and at least one pixel thick."""
        if points[:, 2].min() < NEAR:
            return
        depth = _middle(points)
        thickness = max(1, round(width * self.camera.focal / depth))
        path = [_fixed(self.camera.project(points))]
        tone = self.look.flat_tone(color, shade, depth)
        cv2.polylines(self.color, path, closed, tone, thickness, shift=_SHIFT)
        cv2.polylines(self.entity, path, closed, self._current, thickness, shift=_SHIFT)

    def surface(self, corners: np.ndarray, size: tuple[float, float], shader: Shader, shade: float) -> None:
        """Paints a textured rectangle.

        Args:
            corners: ``(3, 3)``: where (s, t) = (0, 0), (width, 0) and (0, height); all beyond the near plane.
            size: (width, height) in metres.
            shader: gives the colours; all pixels are labelled, also where there is a hole.
            shade: light on the rectangle.
        """
        corner, right, up = corners
        outline = self.camera.project(np.stack([corner, right, right + up - corner, up]))
        low = np.floor(outline.min(axis=0)).astype(int)
        high = np.ceil(outline.max(axis=0)).astype(int) + 1
        left, top = np.maximum(low, 0)
        columns, rows = np.minimum(high, [self.camera.width, self.camera.height]) - (left, top)
        if columns <= 0 or rows <= 0:
            return
        mask = np.zeros((rows, columns), np.uint8)
        cv2.fillPoly(mask, [_fixed(outline - (left, top))], 1, shift=_SHIFT)
        row, column = np.nonzero(mask)
        position = (row + top) * self.camera.width + (column + left)
        matrix = np.linalg.inv(self.camera.plane_to_pixels(corner, right, up))
        s, t = _apply(matrix, column + (left + 0.5), row + (top + 0.5))
        colors = shader(s * np.float32(size[0]), t * np.float32(size[1]))
        depth = np.maximum(corner[2] + s * (right[2] - corner[2]) + t * (up[2] - corner[2]), NEAR)
        toned = self.look.tone(colors, shade, depth)
        solid = ~np.isnan(colors[:, 0])
        self.color.reshape(-1, 3)[position[solid]] = toned[solid]
        self.entity.reshape(-1)[position] = self._current

    def clumps(self, outlines: np.ndarray, color: Color, shades: np.ndarray) -> None:
        """Paints many small upright polygons of one colour in many shades, then roughens them.

        Args:
            outlines: ``(n, k, 3)`` points, each polygon at a single z, in the order of painting.
            color: of all of them.
            shades: ``(n, 3)``, light on each polygon for each colour channel.
        """
        depth = outlines[:, 0, 2]
        seen = np.flatnonzero(depth >= NEAR)
        if not len(seen):
            return
        outlines, depth = outlines[seen], depth[seen]
        tones = self.look.tone(np.asarray(color, np.float32) * shades[seen].astype(np.float32), 1.0, depth)
        pixels = self.camera.project(outlines.reshape(-1, 3)).reshape(*outlines.shape[:2], 2)
        for path, tone in zip(_fixed(pixels), tones.tolist(), strict=True):
            cv2.fillConvexPoly(self.color, path, tone, shift=_SHIFT)
            cv2.fillConvexPoly(self.entity, path, self._current, shift=_SHIFT)
        self._roughen(pixels.reshape(-1, 2), float(depth.mean()))

    def _roughen(self, pixels: np.ndarray, depth: float) -> None:
        """Lays leaf-sized noise over the current entity within the bounds of ``pixels``."""
        limit = (self.camera.width, self.camera.height)
        left, top = np.clip(np.floor(pixels.min(axis=0)), 0, limit).astype(int)
        right, bottom = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, limit).astype(int)
        region = np.s_[top:bottom, left:right]
        row, column = np.nonzero(self.entity[region] == self._current)
        texels = _LEAVES_PER_METRE * depth / self.camera.focal
        leaves = sample(0.5, row * texels + 31 * self._current, column * texels)
        strength = 0.22 * self.look.texture * min(1.0, 1.0 / texels)
        self.color[region][row, column] *= (1 + strength * leaves)[:, None]

    @property
    def _current(self) -> int:
        return len(self.entities) - 1

    def _fill(self, pixels: np.ndarray, tone: Color) -> None:
        path = [_fixed(pixels)]
        cv2.fillPoly(self.color, path, tone, shift=_SHIFT)
        cv2.fillPoly(self.entity, path, self._current, shift=_SHIFT)


def _middle(points: np.ndarray) -> float:
    """Mean distance of ``(n, 3)`` points."""
    return float(points[:, 2].sum()) / len(points)


def _scaled(tone: Color, factor: float) -> Color:
    red, green, blue = tone
    return red * factor, green * factor, blue * factor


def _fixed(pixels: np.ndarray) -> np.ndarray:
    """cv2's fixed-point coordinates, which count from pixel centres."""
    held = np.minimum(np.maximum(pixels - 0.5, -_FARTHEST_PIXEL), _FARTHEST_PIXEL)
    return np.rint(held * (1 << _SHIFT)).astype(np.int32)


def _apply(matrix: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
    s = (matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]) / weight
    t = (matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]) / weight
    return s.astype(np.float32), t.astype(np.float32)


_HALF_TURN = np.linspace(-np.pi / 2, np.pi / 2, 7)


def _hull(centers: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outline of two discs and what lies between them: ``(14, 2)``."""
    along = centers[1] - centers[0]
    angle = np.arctan2(along[1], along[0])
    tip = np.stack([np.cos(angle + _HALF_TURN), np.sin(angle + _HALF_TURN)], axis=1)
    return np.concatenate([centers[1] + radii[1] * tip, centers[0] - radii[0] * tip])
