"""Street furniture: lamps, traffic lights, signs, bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.solid import Footprint, Pose, Prism

STATIC_ID = 4
"""Official label id of ``static``, which is not evaluated (void)."""

_GREY: Color = (0.42, 0.43, 0.45)
_DARK: Color = (0.09, 0.1, 0.1)
_LIGHTS: tuple[Color, Color, Color] = ((0.95, 0.12, 0.1), (1.0, 0.75, 0.1), (0.15, 0.9, 0.4))
_WHITE: Color = (0.95, 0.95, 0.95)
_RED: Color = (0.82, 0.07, 0.1)
_BLUE: Color = (0.08, 0.28, 0.7)
_YELLOW: Color = (0.98, 0.8, 0.1)


@dataclass(frozen=True)
class Post:
    """A pole and what it carries.

    Attributes:
        x, z: where it stands.
        kind: ``lamp``, ``traffic light`` or ``sign``.
        height: in metres.
        variant: which light is on, or which sign it is.
    """

    x: float
    z: float
    kind: str
    height: float
    variant: int

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return Footprint(self.x - 0.15, self.x + 0.15, self.z - 0.15, self.z + 0.15)

    def shadow(self) -> list[np.ndarray]:
        """A narrow column."""
        return [np.array([(self.x + dx, y, self.z) for dx in (-0.07, 0.07) for y in (0.0, self.height)])]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the pole, then what it carries as an entity of its own."""
        canvas.begin(LABEL_IDS["pole"])
        foot = np.array([self.x, 0.0, self.z])
        canvas.capsule(foot, foot + np.array([0, self.height, 0]), (0.09, 0.06), _GREY, sunlit)
        _CARRIED[self.kind](self, canvas, sunlit)


def _lamp(post: Post, canvas: Canvas, sunlit: float) -> None:
    inward = -np.sign(post.x)
    top = np.array([post.x, post.height, post.z])
    canvas.capsule(top, top + np.array([1.1 * inward, 0.25, 0]), (0.05, 0.04), _GREY, sunlit)
    canvas.capsule(
        top + np.array([0.9 * inward, 0.22, 0]),
        top + np.array([1.5 * inward, 0.24, 0]),
        (0.1, 0.08),
        _WHITE,
        sunlit,
    )


def _traffic_light(post: Post, canvas: Canvas, sunlit: float) -> None:
    canvas.begin(LABEL_IDS["traffic light"])
    middle = np.array([post.x - 0.22 * np.sign(post.x), post.height - 0.5, post.z - 0.1])
    canvas.polygon(middle + _rectangle(0.2, 0.52), _DARK, sunlit)
    for lamp in range(3):
        on = lamp == post.variant % 3
        color = _LIGHTS[lamp] if on else tuple(0.3 * channel for channel in _LIGHTS[lamp])
        canvas.polygon(
            middle + _regular(12, 0.13) + np.array([0, 0.32 - 0.32 * lamp, 0]), color, 1.2 if on else sunlit
        )


def _sign(post: Post, canvas: Canvas, sunlit: float) -> None:
    canvas.begin(LABEL_IDS["traffic sign"])
    middle = np.array([post.x, post.height - 0.35, post.z - 0.1])
    for outline, color in _SIGNS[post.variant % len(_SIGNS)]:
        canvas.polygon(middle + outline, color, sunlit)


def _rectangle(half_width: float, half_height: float) -> np.ndarray:
    w, h = half_width, half_height
    return np.array([(-w, -h, 0.0), (w, -h, 0.0), (w, h, 0.0), (-w, h, 0.0)])


def _regular(corners: int, radius: float, turn: float = 0.0) -> np.ndarray:
    angle = turn + np.linspace(0, 2 * np.pi, corners + 1)[:-1]
    return radius * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)


_UP = np.pi / 2
_SIGNS: tuple[tuple[tuple[np.ndarray, Color], ...], ...] = (
    ((_regular(16, 0.4), _RED), (_regular(16, 0.28), _WHITE)),  # speed limit
    ((_regular(16, 0.4), _RED), (_rectangle(0.28, 0.07), _WHITE)),  # no entry
    ((_regular(3, 0.48, _UP), _RED), (_regular(3, 0.3, _UP), _WHITE)),  # warning
    ((_regular(8, 0.42, np.pi / 8), _RED), (_rectangle(0.27, 0.09), _WHITE)),  # stop
    ((_rectangle(0.38, 0.38), _BLUE), (_regular(3, 0.24, _UP), _WHITE)),  # crossing
    ((_regular(4, 0.5), _WHITE), (_regular(4, 0.36), _YELLOW)),  # priority road
    ((_rectangle(0.9, 0.35), _BLUE), (_rectangle(0.7, 0.06), _WHITE)),  # direction
)

_CARRIED: dict[str, Callable[[Post, Canvas, float], None]] = {
    "lamp": _lamp,
    "traffic light": _traffic_light,
    "sign": _sign,
}


@dataclass(frozen=True)
class Bin:
    """A litter bin: annotated, but not evaluated.

    Attributes:
        x, z: where it stands.
        color: of the metal.
    """

    x: float
    z: float
    color: Color

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return Footprint(self.x - 0.3, self.x + 0.3, self.z - 0.3, self.z + 0.3)

    def shadow(self) -> list[np.ndarray]:
        """A small block."""
        return [
            np.array(
                [(self.x + dx, y, self.z + dz) for dx in (-0.3, 0.3) for y in (0, 1.0) for dz in (-0.3, 0.3)]
            )
        ]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints a block with a lid."""
        canvas.begin(STATIC_ID)
        profile = [
            (-0.28, 0.0, 0.25),
            (-0.32, 0.9, 0.3),
            (0.0, 1.05, 0.3),
            (0.32, 0.9, 0.3),
            (0.28, 0.0, 0.25),
        ]
        Prism(canvas, Pose(self.x, self.z), profile, sunlit).paint(self.color)
