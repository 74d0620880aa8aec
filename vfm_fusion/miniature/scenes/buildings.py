"""Buildings, walls and fences: textured planes along the street."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas, Shader
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.noise import cell_noise, sample
from vfm_fusion.miniature.scenes.solid import Footprint, box_corners

_BRICK = (0.26, 0.09)  # width and height of a brick in metres
_SHOP_HEIGHT = 3.4


@dataclass(frozen=True)
class Facade:
    """How the walls of a building look.

    Attributes:
        color: of the wall.
        frame: colour of window frames and cornices.
        bay, floor: distance of the windows in metres, sideways and upwards.
        window: size of a window as a share of bay and floor.
        brick: True for bare bricks, False for plaster.
        shop: True for a ground floor of shop windows.
        seed: of what differs from window to window.
    """

    color: Color
    frame: Color
    bay: float
    floor: float
    window: tuple[float, float]
    brick: bool
    shop: bool
    seed: int

    def shader(self, texture: float, height: float) -> Shader:
        """Colours of a wall ``height`` metres high; ``texture`` is the contrast of bricks and stains."""

        def colors(s: np.ndarray, t: np.ndarray) -> np.ndarray:
            wall = _bricks(s, t, self.color, texture) if self.brick else _plaster(s, t, self.color, texture)
            column, across = np.divmod(s, np.float32(self.bay))
            row, above = np.divmod(t - (0.4 if self.shop else 0.0), np.float32(self.floor))
            across = np.abs(across / self.bay - 0.5) / (0.5 * self.window[0])  # 0 middle, 1 edge
            above = np.abs(above / self.floor - 0.52) / (0.5 * self.window[1])
            edge = np.maximum(across, above)
            is_window = (edge < 1) & (t > (_SHOP_HEIGHT if self.shop else 0.5)) & (t < height - 0.6)
            glass = is_window & (edge < 0.82) & (np.abs(across) > 0.06)
            wall[is_window] = self.frame
            wall[glass] = _glass(cell_noise(row, column, self.seed)[glass], above[glass])
            if self.shop:
                self._paint_shop(wall, s, t)
            wall[(t > height - 0.35) | (np.abs(t - _SHOP_HEIGHT) < 0.12) & self.shop] = self.frame
            return wall

        return colors

    def _paint_shop(self, wall: np.ndarray, s: np.ndarray, t: np.ndarray) -> None:
        unit, across = np.divmod(s, np.float32(2 * self.bay))
        across = across / (2 * self.bay)
        choice = cell_noise(np.zeros_like(unit), unit, self.seed + 1)
        window = (t > 0.5) & (t < 2.5) & (np.abs(across - 0.5) < 0.43)
        wall[window] = _glass(0.3 + 0.5 * choice[window], t[window] / 2.5)
        sign = (t >= 2.5) & (t < _SHOP_HEIGHT - 0.1) & (np.abs(across - 0.5) < 0.47)
        hue = np.stack([choice, np.mod(choice * 7, 1), np.mod(choice * 13, 1)], axis=1)
        stripe = 0.8 + 0.2 * (np.mod(s, 0.5) < 0.25)
        wall[sign] = (0.25 + 0.6 * hue[sign]) * stripe[sign, None]


def _plaster(s: np.ndarray, t: np.ndarray, color: Color, texture: float) -> np.ndarray:
    stains = 0.05 * sample(1.0, 8 * t, 8 * s) + 0.05 * sample(1.5, t, 20 * s)
    return np.asarray(color, np.float32) * (1 + texture * stains)[:, None]


def _bricks(s: np.ndarray, t: np.ndarray, color: Color, texture: float) -> np.ndarray:
    row, above = np.divmod(t, np.float32(_BRICK[1]))
    column, across = np.divmod(s + 0.5 * _BRICK[0] * np.mod(row, 2), np.float32(_BRICK[0]))
    mortar = (above < 0.15 * _BRICK[1]) | (across < 0.05 * _BRICK[0])
    tone = 1 + texture * (0.3 * (cell_noise(row, column, 3) - 0.5) + 0.05 * sample(1.0, 8 * t, 8 * s))
    wall = np.asarray(color, np.float32) * tone[:, None]
    wall[mortar] = wall[mortar] * (1 - 0.4 * texture) + 0.25 * texture
    return wall


def _glass(choice: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Dark panes that mirror the sky more or less; a few are lit or have curtains."""
    mirror = (0.12 + 0.5 * choice * choice - 0.08 * above)[:, None]
    panes = mirror * np.array([0.8, 0.95, 1.1], np.float32)
    panes[choice > 0.9] = (0.85, 0.78, 0.6)
    return panes.astype(np.float32)


@dataclass(frozen=True)
class Building:
    """A block of houses; its long side faces the street.

    Attributes:
        place: its ground.
        height: of the walls in metres.
        gable: height of a pitched roof over them, 0 = flat.
        facade: how the walls look.
        roof: colour of the roof.
        shelter: (x of the street side, height) of the house that its near end leans on; None = free.
    """

    place: Footprint
    height: float
    gable: float
    facade: Facade
    roof: Color
    shelter: tuple[float, float] | None

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return self.place

    def shadow(self) -> list[np.ndarray]:
        """A block."""
        return [box_corners(self.place, 0.0, self.height + 0.5 * self.gable)]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the roof, the side towards the street and the end towards the camera."""
        canvas.begin(LABEL_IDS["building"])
        place, top = self.place, self.height
        inner, outer = sorted((place.x0, place.x1), key=abs)
        towards_street = np.array([-np.sign(outer), 0.0, 0.0])
        look = canvas.look
        if self.gable:
            self._paint_roof(canvas, inner, outer)
        shader = self.facade.shader(look.texture, top)
        side = np.array([(inner, 0, place.z0), (inner, 0, place.z1), (inner, top, place.z0)], float)
        canvas.surface(side, (place.z1 - place.z0, top), shader, look.shade(towards_street) * sunlit)
        towards_camera = look.shade(np.array([0.0, 0.0, -1.0]))
        for start, end, low in self._open_ends(inner, outer):
            self._paint_end(canvas, (start, end), low, shader, towards_camera * sunlit)

    def _open_ends(self, inner: float, outer: float) -> list[tuple[float, float, float]]:
        """Parts (x, x, lowest height) of the near end that no house leans on."""
        if self.shelter is None:
            return [(inner, outer, 0.0)]
        neighbour, high = self.shelter
        parts = [(inner, neighbour, 0.0)] if abs(inner) < abs(neighbour) else []
        return parts + ([(inner, outer, high)] if high < self.height else [])

    def _paint_end(
        self, canvas: Canvas, across: tuple[float, float], low: float, shader: Shader, shade: float
    ) -> None:
        (start, end), z, top = across, self.place.z0, self.height
        corners = np.array([(start, low, z), (end, low, z), (start, top, z)], float)

        def raised(s: np.ndarray, t: np.ndarray) -> np.ndarray:
            return shader(s, t + np.float32(low))

        canvas.surface(corners, (abs(end - start), top - low), raised, shade)

    def _paint_roof(self, canvas: Canvas, inner: float, outer: float) -> None:
        place, top, ridge = self.place, self.height, self.height + self.gable
        middle = (inner + outer) / 2
        slope = [(inner, top, place.z0), (inner, top, place.z1), (middle, ridge, place.z1)]
        slope.append((middle, ridge, place.z0))
        up = np.array([-np.sign(outer) * self.gable, abs(outer - middle), 0.0])
        canvas.polygon(np.array(slope, float), self.roof, canvas.look.shade(up))
        triangle = np.array(
            [(inner, top, place.z0), (outer, top, place.z0), (middle, ridge, place.z0)], float
        )
        canvas.polygon(triangle, self.facade.color, canvas.look.shade(np.array([0.0, 0.0, -1.0])))


@dataclass(frozen=True)
class Barrier:
    """A wall or a fence along the street.

    Attributes:
        x: its distance to the side.
        z0, z1: where it begins and ends.
        height: in metres.
        color: of the bricks or bars.
        label: ``wall`` or ``fence``.
    """

    x: float
    z0: float
    z1: float
    height: float
    color: Color
    label: str

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return Footprint(self.x - 0.1, self.x + 0.1, self.z0, self.z1)

    def shadow(self) -> list[np.ndarray]:
        """A thin block; that of a fence is too light to matter."""
        return [box_corners(self.footprint, 0.0, self.height)] if self.label == "wall" else []

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the side towards the street, and the near end of a wall."""
        canvas.begin(LABEL_IDS[self.label])
        texture = canvas.look.texture
        towards_street = np.array([-np.sign(self.x), 0.0, 0.0])
        corners = np.array(
            [(self.x, 0, self.z0), (self.x, 0, self.z1), (self.x, self.height, self.z0)], float
        )
        shader = self._bars if self.label == "fence" else self._stones(texture)
        shade = canvas.look.shade(towards_street) * sunlit
        canvas.surface(corners, (self.z1 - self.z0, self.height), shader, shade)
        if self.label == "wall":
            x = self.x + 0.3 * np.sign(self.x)
            end = np.array([(self.x, 0, self.z0), (x, 0, self.z0), (self.x, self.height, self.z0)], float)
            canvas.surface(
                end, (0.3, self.height), shader, canvas.look.shade(np.array([0, 0, -1.0])) * sunlit
            )

    def _bars(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        solid = (np.mod(s, 0.16) < 0.05) | (np.mod(s, 2.0) < 0.12)
        solid |= (np.abs(t - 0.15) < 0.04) | (np.abs(t - self.height + 0.12) < 0.05)
        return np.where(solid[:, None], np.asarray(self.color, np.float32), np.float32(np.nan))

    def _stones(self, texture: float) -> Shader:
        def colors(s: np.ndarray, t: np.ndarray) -> np.ndarray:
            wall = _bricks(s / 2, t / 2, self.color, texture)
            wall[t > self.height - 0.12] = 0.75
            return wall

        return colors
