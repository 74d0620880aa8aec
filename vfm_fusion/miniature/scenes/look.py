"""Light and palette of a scene: what the rendering style decides before the camera does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfm_fusion.config.datasets import Style

Color = tuple[float, float, float]
"""(red, green, blue), 0..1."""

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Look:
    """Light and palette.

    Attributes:
        sun: unit vector towards the sun.
        ambient, diffuse: light on a face = ambient + diffuse * max(0, normal . sun).
        shadow: share of the light that a cast shadow takes away.
        saturation: factor on the distance of a colour from its grey.
        fog: extinction in 1/m.
        haze: colour that distant things fade to.
        sky: colours at the zenith and at the horizon.
        clouds: cover of the sky, 0..1.
        texture: contrast of surface textures; 1 is full.
    """

    sun: np.ndarray
    ambient: float
    diffuse: float
    shadow: float
    saturation: float
    fog: float
    haze: Color
    sky: tuple[Color, Color]
    clouds: float
    texture: float

    def shade(self, normal: np.ndarray) -> float:
        """Light that a face with the given normal receives; about 1 on the ground."""
        length = math.sqrt(float(normal @ normal))
        return self.ambient + self.diffuse * max(0.0, float(normal @ self.sun) / length)

    def tone(self, color: np.ndarray, shade: float | np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Colour as it reaches the camera: saturation, light, then fog.

        Args:
            color: ``(..., 3)``, 0..1.
            shade: light on the surface, one number or ``(..., 1)``.
            depth: distance in metres, ``(...)``.
        """
        grey = (color @ np.array(_LUMA, np.float32))[..., None]
        lit = (grey + self.saturation * (color - grey)) * shade
        if self.fog == 0:
            return lit
        clear = np.exp(-self.fog * depth.astype(np.float32))[..., None]
        return lit * clear + np.asarray(self.haze, np.float32) * (1 - clear)

    def flat_tone(self, color: Color, shade: float, depth: float) -> Color:
        """:meth:`tone` of a single colour."""
        red, green, blue = color
        grey = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
        clear = math.exp(-self.fog * depth)
        lit = shade * clear
        return tuple(
            lit * (grey + self.saturation * (channel - grey)) + (1 - clear) * haze
            for channel, haze in zip(color, self.haze, strict=True)
        )


def sample_look(style: Style, rng: np.random.Generator) -> Look:
    """Draws the light of a scene. The sun's direction is the same for both styles."""
    azimuth = rng.uniform(0.15, 0.85) * np.pi * (1 if rng.random() < 0.5 else -1)
    elevation = np.radians(rng.uniform(28, 62))
    sun = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)]
    )
    return _LOOKS[style](sun, rng)


def _synthetic(sun: np.ndarray, rng: np.random.Generator) -> Look:
    diffuse = 0.3
    blue = rng.uniform(0.85, 1.0)
    return Look(
        sun=sun,
        ambient=1.0 - diffuse * float(sun[1]),
        diffuse=diffuse,
        shadow=0.35,
        saturation=1.3,
        fog=0.0,
        haze=(0.75, 0.85, 0.95),
        sky=((0.22, 0.5, blue), (0.68, 0.86, 1.0)),
        clouds=rng.uniform(0.0, 0.35),
        texture=0.45,
    )


def _real(sun: np.ndarray, rng: np.random.Generator) -> Look:
    overcast = rng.random() ** 1.5
    diffuse = 0.75 * (1 - overcast)
    grey = rng.uniform(0.72, 0.9)
    clear: Color = (0.45, 0.6, 0.8)
    zenith = tuple(float(overcast * grey + (1 - overcast) * channel) for channel in clear)
    haze = (grey, grey + 0.01, grey + 0.03)
    return Look(
        sun=sun,
        ambient=1.0 - diffuse * float(sun[1]),
        diffuse=diffuse,
        shadow=0.1 + 0.45 * (1 - overcast),
        saturation=rng.uniform(0.55, 0.8),
        fog=float(rng.uniform(0.004, 0.018)),
        haze=haze,
        sky=(zenith, haze),
        clouds=rng.uniform(0.3, 0.8),
        texture=1.0,
    )


_LOOKS = {"synthetic": _synthetic, "real": _real}


CARS: tuple[Color, ...] = (
    (0.82, 0.83, 0.85),
    (0.93, 0.93, 0.93),
    (0.16, 0.17, 0.19),
    (0.42, 0.44, 0.47),
    (0.62, 0.09, 0.1),
    (0.12, 0.22, 0.5),
    (0.1, 0.35, 0.3),
    (0.72, 0.62, 0.35),
    (0.3, 0.5, 0.72),
)
BUSES: tuple[Color, ...] = ((0.93, 0.76, 0.15), (0.85, 0.2, 0.16), (0.25, 0.55, 0.4), (0.9, 0.9, 0.92))
TRUCKS: tuple[Color, ...] = ((0.9, 0.9, 0.88), (0.2, 0.4, 0.7), (0.75, 0.3, 0.15), (0.85, 0.7, 0.2))
TRAMS: tuple[Color, ...] = ((0.88, 0.72, 0.2), (0.78, 0.14, 0.15), (0.2, 0.42, 0.62))
WALLS: tuple[Color, ...] = (
    (0.86, 0.8, 0.66),
    (0.82, 0.7, 0.52),
    (0.74, 0.74, 0.72),
    (0.88, 0.86, 0.82),
    (0.78, 0.58, 0.46),
    (0.66, 0.72, 0.74),
    (0.85, 0.74, 0.68),
)
BRICKS: tuple[Color, ...] = ((0.58, 0.31, 0.24), (0.64, 0.42, 0.3), (0.5, 0.34, 0.3), (0.7, 0.56, 0.42))
FRAMES: tuple[Color, ...] = ((0.92, 0.91, 0.88), (0.55, 0.55, 0.55), (0.4, 0.3, 0.24))
ROOFS: tuple[Color, ...] = ((0.52, 0.26, 0.2), (0.36, 0.34, 0.36), (0.44, 0.32, 0.26))
LEAVES: tuple[Color, ...] = ((0.24, 0.44, 0.16), (0.32, 0.5, 0.18), (0.2, 0.38, 0.2), (0.42, 0.5, 0.2))
BARS: tuple[Color, ...] = ((0.16, 0.18, 0.18), (0.5, 0.36, 0.24), (0.85, 0.85, 0.83))
SKIN: tuple[Color, ...] = ((0.92, 0.74, 0.62), (0.8, 0.6, 0.46), (0.55, 0.38, 0.28), (0.36, 0.25, 0.19))
HAIR: tuple[Color, ...] = ((0.12, 0.09, 0.07), (0.35, 0.22, 0.13), (0.66, 0.5, 0.28), (0.5, 0.5, 0.5))
CLOTH: tuple[Color, ...] = (
    (0.8, 0.15, 0.18),
    (0.15, 0.3, 0.6),
    (0.92, 0.9, 0.86),
    (0.15, 0.15, 0.17),
    (0.25, 0.5, 0.35),
    (0.9, 0.65, 0.2),
    (0.55, 0.3, 0.55),
    (0.5, 0.5, 0.52),
)
TROUSERS: tuple[Color, ...] = ((0.14, 0.16, 0.25), (0.22, 0.3, 0.45), (0.1, 0.1, 0.11), (0.45, 0.4, 0.32))


def pick(rng: np.random.Generator, colors: tuple[Color, ...], spread: float = 0.04) -> Color:
    """Draws a colour and varies it a little."""
    base = np.array(colors[rng.integers(len(colors))])
    return tuple(float(channel) for channel in np.clip(base + spread * rng.standard_normal(3), 0.02, 0.98))
