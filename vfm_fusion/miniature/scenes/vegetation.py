"""Trees and hedges: clusters of leaf clumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.solid import Footprint

_CORNERS = np.linspace(0, 2 * np.pi, 8)[:-1]
_BARK: Color = (0.33, 0.25, 0.18)


@dataclass(frozen=True)
class Foliage:
    """An ellipsoid of leaf clumps.

    Attributes:
        center: (x, y, z) in metres.
        radii: half sizes along x, y and z.
        clump: radius of a clump.
        count: number of clumps.
        color: of the leaves in mean light.
        seed: of the clumps.
    """

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    clump: float
    count: int
    color: Color
    seed: int

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the clumps from the far ones inside to the near ones on the hull."""
        rng = np.random.default_rng(self.seed)
        direction = rng.standard_normal((self.count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        reach = rng.uniform(0.15, 1.0, (self.count, 1)) ** 0.5
        inside = direction * reach  # in units of the radii
        order = np.argsort(reach[:, 0] - 0.5 * inside[:, 2])
        light = 0.62 + 0.3 * inside @ canvas.look.sun + 0.12 * rng.standard_normal(self.count)
        tint = np.clip(1 + 0.1 * rng.standard_normal((self.count, 3)), 0.6, 1.4)
        size = self.clump * rng.uniform(0.6, 1.4, (self.count, 7, 1))
        outline = np.stack([np.cos(_CORNERS), np.sin(_CORNERS), np.zeros(7)], axis=1)
        middle = np.array(self.center) + inside * self.radii
        outlines = middle[:, None] + outline * size  # (count, 7, 3)
        shades = sunlit * np.clip(light, 0.25, 1.25)[:, None] * tint
        canvas.clumps(outlines[order], self.color, shades[order])


@dataclass(frozen=True)
class Tree:
    """A street tree.

    Attributes:
        x, z: where it stands.
        trunk: height of the trunk below the crown in metres.
        crown: its leaves.
    """

    x: float
    z: float
    trunk: float
    crown: Foliage

    @property
    def footprint(self) -> Footprint:
        """The ground that the trunk stands on."""
        return Footprint(self.x - 0.25, self.x + 0.25, self.z - 0.25, self.z + 0.25)

    def shadow(self) -> list[np.ndarray]:
        """The crown and the trunk."""
        angle = np.linspace(0, 2 * np.pi, 11)[:-1]
        ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], axis=1)
        crown = np.concatenate([ring, 0.6 * ring + (0, 0.75, 0), 0.6 * ring - (0, 0.75, 0)])
        trunk = np.array([(self.x + dx, y, self.z) for dx in (-0.12, 0.12) for y in (0.0, self.trunk + 1)])
        return [np.array(self.crown.center) + crown * self.crown.radii, trunk]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints trunk, then crown."""
        canvas.begin(LABEL_IDS["vegetation"])
        foot, fork = np.array([self.x, 0.0, self.z]), np.array([self.x, self.trunk + 0.8, self.z])
        canvas.capsule(foot, fork, (0.16, 0.1), _BARK, sunlit)
        self.crown.paint(canvas, sunlit)


@dataclass(frozen=True)
class Hedge:
    """A row of bushes along the street.

    Attributes:
        place: its ground.
        bushes: its parts, far to near.
    """

    place: Footprint
    bushes: tuple[Foliage, ...]

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return self.place

    def shadow(self) -> list[np.ndarray]:
        """None: a hedge shades little beside itself."""
        return []

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the bushes."""
        canvas.begin(LABEL_IDS["vegetation"])
        for bush in self.bushes:
            bush.paint(canvas, sunlit)
