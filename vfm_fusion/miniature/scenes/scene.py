"""A scene: where the camera is and what stands where. Independent of the rendering style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.miniature.scenes import look as palette
from vfm_fusion.miniature.scenes.backdrop import Block
from vfm_fusion.miniature.scenes.camera import Camera
from vfm_fusion.miniature.scenes.populate import populate
from vfm_fusion.miniature.scenes.roadside import roadside
from vfm_fusion.miniature.scenes.solid import Thing
from vfm_fusion.miniature.scenes.street import Side, Street

LANE = 3.2
"""Width of a lane in metres."""

_FEATURED = ("bus", "bicycle", "truck", "motorcycle", "train")


@dataclass(frozen=True)
class Scene:
    """Everything that is to be seen.

    Attributes:
        camera: the view, in pixels of the canvas.
        street: the ground.
        skyline: what closes the view.
        things: what stands in between, in no particular order.
        hood: True where the bonnet of the camera's own car is in view.
        seed: of the sky.
    """

    camera: Camera
    street: Street
    skyline: tuple[Block, ...]
    things: tuple[Thing, ...]
    hood: bool
    seed: int


def sample_scene(rng: np.random.Generator, number: int, width: int, height: int) -> Scene:
    """Draws a scene.

    Args:
        rng: the scene's own stream.
        number: of the image in its split; it decides which rare class the scene features, so that every
            class comes up in small data sets.
        width, height: size of the canvas in pixels.
    """
    featured = _FEATURED[number % len(_FEATURED)]
    street = _sample_street(rng, featured)
    camera = Camera(
        width=width,
        height=height,
        focal=float(rng.uniform(0.72, 0.92)) * width,
        center=float(rng.uniform(0.44, 0.56)) * width,
        horizon=float(rng.uniform(0.4, 0.48)) * height,
        eye=float(rng.uniform(1.4, 2.1)),
        bend=float(rng.uniform(-1, 1)) * 0.0015,
    )
    things = populate(rng, street, featured)
    things += roadside(rng, street, [thing.footprint for thing in things])
    return Scene(
        camera=camera,
        street=street,
        skyline=_sample_skyline(rng),
        things=tuple(things),
        hood=bool(rng.random() < 0.25),
        seed=int(rng.integers(2**31)),
    )


def _sample_street(rng: np.random.Generator, featured: str) -> Street:
    lanes = int(rng.choice([1, 2], p=[0.65, 0.35]))
    parking = float(rng.choice([0.0, 2.2], p=[0.4, 0.6]))
    side_start = float(rng.uniform(14, 32))
    has_side_street = rng.random() < 0.45
    crossing = float(rng.uniform(9, 20)) if rng.random() < 0.45 else None
    if has_side_street and crossing is not None:
        crossing = side_start - 5.0
    return Street(
        center=-(lanes - 0.5) * LANE + float(rng.uniform(-0.3, 0.3)),
        half=lanes * LANE + parking,
        lines=tuple(LANE * offset for offset in range(-lanes + 1, lanes)),
        parking=parking,
        left=_sample_side(rng),
        right=_sample_side(rng),
        crossing=crossing,
        side_street=(side_start, side_start + float(rng.uniform(6, 9))) if has_side_street else None,
        rails=-LANE / 2 if featured == "train" else None,
        seed=int(rng.integers(2**31)),
    )


def _sample_side(rng: np.random.Generator) -> Side:
    return Side(
        verge=float(rng.choice([0.0, rng.uniform(1.2, 2.4)])),
        walk=float(rng.uniform(1.8, 3.6)),
        garden=float(rng.choice([0.0, rng.uniform(2.0, 5.0)], p=[0.35, 0.65])),
    )


def _sample_skyline(rng: np.random.Generator) -> tuple[Block, ...]:
    blocks = []
    for x in np.arange(-160.0, 160.0, 18.0):
        if rng.random() < 0.55:
            height = float(rng.uniform(8, 26))
            color = palette.pick(rng, palette.WALLS + palette.BRICKS)
            blocks.append(
                Block("building", x, x + float(rng.uniform(12, 20)), 165.0, (height, height), color)
            )
    for x in np.arange(-160.0, 160.0, 22.0):
        if rng.random() < 0.6:
            arch = np.sin(np.linspace(0.15, np.pi - 0.15, 14))
            heights = rng.uniform(5, 11) * arch * rng.uniform(0.85, 1.1, 14)
            color = palette.pick(rng, palette.LEAVES)
            blocks.append(Block("vegetation", x, x + 26.0, 140.0, tuple(heights.tolist()), color))
    return tuple(blocks)
