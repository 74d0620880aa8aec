"""One generated image with its labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.miniscapes.annotate import Annotation, annotate, owners
from vfm_fusion.datasets.miniscapes.backdrop import paint_sky, paint_skyline
from vfm_fusion.datasets.miniscapes.buildings import Building
from vfm_fusion.datasets.miniscapes.canvas import Canvas
from vfm_fusion.datasets.miniscapes.look import Look, sample_look
from vfm_fusion.datasets.miniscapes.order import paint_order
from vfm_fusion.datasets.miniscapes.scene import Scene, sample_scene
from vfm_fusion.datasets.miniscapes.sensor import expose
from vfm_fusion.datasets.miniscapes.street import paint_ground, shadow_mask
from vfm_fusion.datasets.miniscapes.thing import Thing

SAMPLES = 2
"""Samples along each side of a pixel: the image is their mean, the label their upper median."""

SMALLEST = 10
"""An object with fewer visible pixels is not annotated."""

SPLITS = ("train", "val")

_EGO_VEHICLE_ID = 1  # official label id, not evaluated
_LAYOUT, _LIGHT, _SENSOR = range(3)


@dataclass(frozen=True)
class Rendered:
    """A photograph, ``(H, W, 3)`` uint8 RGB, and its labels."""

    image: np.ndarray
    annotation: Annotation


def stream(seed: int, split: str, number: int, purpose: int) -> np.random.Generator:
    """The random stream of one image and purpose; it depends on nothing else."""
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), number, purpose))
    )


def render(config: MiniscapesConfig, split: str, number: int) -> Rendered:
    """Renders image ``number`` of a split.

    The labels depend on seed, split, number and size; the style decides only how the image looks.
    """
    scene = sample_scene(
        stream(config.seed, split, number, _LAYOUT), number, SAMPLES * config.width, SAMPLES * config.height
    )
    look = sample_look(config.style, stream(config.seed, split, number, _LIGHT))
    canvas = paint_scene(scene, look)
    light = cv2.resize(canvas.color, (config.width, config.height), interpolation=cv2.INTER_AREA)  # mean
    image = expose(light, config.style, stream(config.seed, split, number, _SENSOR))
    owner = owners(canvas.entity, SAMPLES)
    return Rendered(image, annotate(owner, canvas.entities, SMALLEST))


def paint_scene(scene: Scene, look: Look) -> Canvas:
    """Paints a scene from the sky to the nearest thing."""
    canvas = Canvas(scene.camera, look)
    ordered = [scene.things[i] for i in paint_order([thing.footprint for thing in scene.things])]
    houses = [points for thing in ordered if isinstance(thing, Building) for points in thing.shadow()]
    others = [points for thing in ordered if not isinstance(thing, Building) for points in thing.shadow()]
    of_houses = shadow_mask(scene.camera, look.sun, houses)
    shaded = np.maximum(of_houses, shadow_mask(scene.camera, look.sun, others)).astype(np.float32)
    paint_sky(canvas, scene.seed)
    paint_ground(canvas, scene.street, cv2.GaussianBlur(shaded, (0, 0), 0.0025 * scene.camera.width))
    paint_skyline(canvas, scene.skyline)
    for thing in ordered:
        thing.paint(canvas, _sunlit(canvas, thing, of_houses))
    if scene.hood:
        _paint_hood(canvas)
    return canvas


def _sunlit(canvas: Canvas, thing: Thing, of_houses: np.ndarray) -> float:
    """Share of the light that reaches a thing: less where a house shades the ground before it."""
    if isinstance(thing, Building):
        return 1.0
    place = thing.footprint
    foot = np.array([[(place.x0 + place.x1) / 2, 0.0, max(place.z0, 1.0)]])
    column, row = np.floor(canvas.camera.project(foot)[0]).astype(int)
    inside = 0 <= column < canvas.camera.width and 0 <= row < canvas.camera.height
    return 1.0 - 0.7 * canvas.look.shadow if inside and of_houses[row, column] else 1.0


def _paint_hood(canvas: Canvas) -> None:
    """The bonnet of the camera's own car, at the lower edge."""
    number = canvas.begin(_EGO_VEHICLE_ID)
    height, width = canvas.entity.shape
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(
        mask,
        (width // 2, round(1.06 * height)),
        (round(0.47 * width), round(0.13 * height)),
        0,
        0,
        360,
        1,
        -1,
    )
    row = np.nonzero(mask)[0]
    gloss = 0.1 + 0.25 * (height - row) / (0.07 * height)
    canvas.color[mask > 0] = gloss[:, None].astype(np.float32) * np.array([0.5, 0.55, 0.62], np.float32)
    canvas.entity[mask > 0] = number
