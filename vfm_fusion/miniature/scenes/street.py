"""The street itself: its cross-section, its surface, and the shadows on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.camera import Camera, clip_near
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.noise import cell_noise, sample

_CURB = 0.18
_PAINT = np.array([0.93, 0.93, 0.9], np.float32)
_ROAD, _WALK, _GRASS = range(3)


@dataclass(frozen=True)
class Side:
    """What lies beside the road, from the kerb outwards; widths in metres, 0 = absent."""

    verge: float
    walk: float
    garden: float

    @property
    def width(self) -> float:
        """Distance from the kerb to the houses."""
        return self.verge + self.walk + self.garden


@dataclass(frozen=True)
class Street:
    """A straight street along z.

    Attributes:
        center: x of the middle of the road.
        half: half the width of the road.
        lines: offsets from the middle where lane lines run.
        parking: width of the parking strips at both edges of the road, 0 = none.
        left, right: what lies beside the road.
        crossing: z where a zebra crossing begins; None = no crossing.
        side_street: (z0, z1) of a crossing street; None = none.
        rails: offset of the middle of a tram track; None = none.
        seed: of the wear of the surface.
    """

    center: float
    half: float
    lines: tuple[float, ...]
    parking: float
    left: Side
    right: Side
    crossing: float | None
    side_street: tuple[float, float] | None
    rails: float | None
    seed: int

    def side(self, sign: float) -> Side:
        """The left side for -1, the right one for 1."""
        return self.left if sign < 0 else self.right


def paint_ground(canvas: Canvas, street: Street, shadow: np.ndarray) -> None:
    """Paints road, sidewalk and terrain.

    Args:
        canvas: where to paint.
        street: the cross-section and markings.
        shadow: ``(H, W)`` float32, 0..1, how much a pixel of the ground lies in the shadow.
    """
    first, x, z = canvas.camera.ground()
    zone, beyond = _zones(street, x - street.center, z)
    grain = canvas.look.texture * np.clip(canvas.camera.focal * canvas.camera.eye / (z * z) / 25, 0, 1)
    color = np.empty((*x.shape, 3), np.float32)
    for number, painter in enumerate((_asphalt, _paving, _lawn)):
        inside = zone == number
        row = np.nonzero(inside)[0]
        color[inside] = painter(street, (x - street.center)[inside], z[row, 0], beyond[inside], grain[row, 0])
    light = 1 - canvas.look.shadow * shadow[first:]
    canvas.color[first:] = canvas.look.tone(color, 1.0, z) * light[..., None]
    numbers = np.array([canvas.begin(LABEL_IDS[name]) for name in ("road", "sidewalk", "terrain")], np.int32)
    canvas.entity[first:] = numbers[zone]


def _zones(street: Street, u: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which surface a point belongs to, and its distance from the kerb."""
    beyond = np.abs(u) - street.half
    right = u > 0
    verge = np.where(right, street.right.verge, street.left.verge)
    walk = np.where(right, street.right.walk, street.left.walk)
    zone = np.full(u.shape, _GRASS, np.int8)
    zone[(beyond < _CURB) | ((beyond > verge) & (beyond < verge + walk))] = _WALK
    zone[beyond < 0] = _ROAD
    if street.side_street is not None:
        start, end = street.side_street
        zone[(z > start) & (z < end) & (np.abs(u) < 60)] = _ROAD
    return zone, beyond


def _asphalt(
    street: Street, u: np.ndarray, z: np.ndarray, _beyond: np.ndarray, grain: np.ndarray
) -> np.ndarray:
    offset = street.seed % 512
    wear = 0.05 * sample(1.4, 6 * z + offset, 10 * u) + 0.05 * sample(1.6, 1.5 * z, 4 * u + offset)
    level = 0.36 + grain * (wear + 0.035 * sample(0.2, 40 * z, 40 * u + offset))
    patch = (cell_noise(np.floor(z / 5), np.floor(u / 1.6), street.seed) > 0.9) & (np.abs(u) < street.half)
    crack = np.abs(sample(1.6, 12 * z + offset, 24 * u)) < 0.02
    level = level - 0.05 * grain * patch - 0.1 * grain * crack
    color = level[:, None] * np.array([1.0, 1.0, 1.03], np.float32)
    painted = _markings(street, u, z)
    wornness = 0.85 - 0.12 * grain * (sample(0.8, 20 * z, 20 * u + offset) > 0.9)
    color[painted] = _PAINT * wornness[painted, None]
    if street.rails is not None:
        track = np.abs(u - street.rails)
        color[track < 1.05] *= 0.88
        color[np.abs(track - 0.72) < 0.06] = (0.6, 0.6, 0.63)
    return color


def _markings(street: Street, u: np.ndarray, z: np.ndarray) -> np.ndarray:
    painted = np.zeros(u.shape, bool)
    for line in street.lines:
        dashed = np.mod(z + street.seed % 7, 7.0) < 3.0
        solid = line == 0 and street.seed % 3 == 0
        painted |= (np.abs(u - line) < 0.075) & (dashed | solid)
    edge = street.half - street.parking - 0.12
    painted |= np.abs(np.abs(u) - edge) < 0.06
    if street.side_street is not None:
        start, end = street.side_street
        painted &= (z < start - 1) | (z > end + 1)
        painted |= (np.abs(z - start + 1.2) < 0.22) & (u > 0) & (u < edge)
    if street.crossing is not None:
        zebra = (z > street.crossing) & (z < street.crossing + 3.2) & (np.abs(u) < street.half)
        painted = np.where(zebra, np.mod(u, 1.0) < 0.5, painted)
    return painted


def _paving(
    street: Street, u: np.ndarray, z: np.ndarray, beyond: np.ndarray, grain: np.ndarray
) -> np.ndarray:
    row, along = np.divmod(z, np.float32(0.8))
    column, across = np.divmod(u, np.float32(0.6))
    joint = (along < 0.06) | (across < 0.05)
    stone = cell_noise(row, column, street.seed) - 0.5
    level = 0.6 + grain * (0.12 * stone - 0.12 * joint + 0.04 * sample(1.2, 12 * z, 12 * u))
    color = level[:, None] * np.array([1.0, 0.97, 0.92], np.float32)
    color[beyond < _CURB] = 0.74
    return color


def _lawn(street: Street, u: np.ndarray, z: np.ndarray, _beyond: np.ndarray, grain: np.ndarray) -> np.ndarray:
    offset = street.seed % 512
    blades = 0.16 * sample(0.3, 30 * z, 40 * u) + 0.16 * sample(1.3, 4 * z + offset, 6 * u)
    dry = np.clip(0.25 * sample(1.5, 2 * z, 3 * u + offset), 0, 1)[:, None]
    green = np.array([0.34, 0.5, 0.2], np.float32) * (1 - dry) + np.array([0.55, 0.5, 0.28], np.float32) * dry
    return green * (1 + (0.35 + 0.65 * grain) * blades)[:, None]


def shadow_mask(camera: Camera, sun: np.ndarray, casters: Iterable[np.ndarray]) -> np.ndarray:
    """Shadows on the ground.

    Args:
        camera: where it is seen from.
        sun: unit vector towards the sun, above the horizon.
        casters: point sets ``(n, 3)`` in metres; each casts the shadow of its convex hull.

    Returns:
        ``(H, W)`` uint8, 1 = in the shadow.
    """
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for points in casters:
        fallen = points - sun * (points[:, 1:2] / sun[1])
        hull = cv2.convexHull(fallen[:, [0, 2]].astype(np.float32))[:, 0].astype(np.float64)
        outline = clip_near(np.stack([hull[:, 0], np.zeros(len(hull)), hull[:, 1]], axis=1))
        if len(outline) >= 3:
            pixels = np.clip(camera.project(outline), -30_000, 30_000)
            cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 1, shift=4)
    return mask
