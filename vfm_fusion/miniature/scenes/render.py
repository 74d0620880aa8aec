"""One generated image with its labels: things painted in order, then seen by a sensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.config.datasets import MiniscapesConfig, Style
from vfm_fusion.miniature.scenes.annotate import Annotation, annotate, owners
from vfm_fusion.miniature.scenes.backdrop import paint_sky, paint_skyline
from vfm_fusion.miniature.scenes.buildings import Building
from vfm_fusion.miniature.scenes.camera import NEAR
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Look, sample_look
from vfm_fusion.miniature.scenes.scene import Scene, sample_scene
from vfm_fusion.miniature.scenes.solid import Footprint, Thing
from vfm_fusion.miniature.scenes.street import paint_ground, shadow_mask

_OVERHANG = 2.4  # metres that crowns and lamps reach beyond their footprints


def paint_order(places: Sequence[Footprint]) -> list[int]:
    """Orders objects so that each is painted after all that it can hide.

    Of two footprints that a line parallel to an axis separates, the one on the camera's side of it can hide
    the other, never the reverse; it matters where both are in the same direction. The camera is at x = 0,
    z = 0. Footprints that overlap go by distance.

    Returns:
        Positions in ``places``, what is painted first in front.
    """
    if not places:
        return []
    x0, x1, z0, z1 = np.array([(p.x0, p.x1, p.z0, p.z1) for p in places]).T
    near = np.maximum(z0, NEAR)
    left_end = np.minimum((x0 - _OVERHANG) / near, (x0 - _OVERHANG) / z1)
    right_end = np.maximum((x1 + _OVERHANG) / near, (x1 + _OVERHANG) / z1)
    meet = (left_end[:, None] < right_end[None, :]) & (left_end[None, :] < right_end[:, None])
    behind = z0[:, None] >= z1[None, :]  # (i, j): i lies beyond j
    beside = ((x0[:, None] >= x1[None, :]) & (x1[None, :] >= 0)) | (
        (x1[:, None] <= x0[None, :]) & (x0[None, :] <= 0)
    )  # i lies farther out than j on the same side
    farther = behind | beside
    before = meet & farther & ~farther.T  # where two lines contradict each other, neither hides the other
    distance = (z0 + z1) / 2
    waiting = before.sum(axis=0)
    left = set(range(len(places)))
    order: list[int] = []
    while left:
        chosen = min(left, key=lambda i: (waiting[i], -distance[i], i))
        order.append(chosen)
        left.remove(chosen)
        waiting = waiting - before[chosen]
    return order


def expose(light: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Turns the light that arrives into a photograph.

    Args:
        light: ``(H, W, 3)`` float32 RGB, 1 = white.
        style: how good the camera is.
        rng: stream of the noise and of the camera's settings.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    return _CAMERAS[style](light, rng)


def _clean(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _quantize(light + 0.004 * rng.standard_normal(light.shape, np.float32))


def _flawed(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White balance, exposure, bloom, vignetting, blur, luma and chroma noise, tone curve, JPEG."""
    height, width = light.shape[:2]
    warmth, tint, exposure = rng.normal(0, 0.07), rng.normal(0, 0.015), rng.uniform(-0.3, 0.2)
    image = light * np.exp(np.array([warmth, tint, -warmth]) + exposure).astype(np.float32)
    bloom = cv2.GaussianBlur(np.clip(image - 0.9, 0, 1), (0, 0), 0.02 * width)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, 0.85))) + 0.6 * bloom
    image *= _vignette(height, width, float(rng.uniform(0.1, 0.4)))[..., None]
    strength = float(rng.uniform(0.008, 0.025))
    luma = rng.standard_normal((height, width, 1), np.float32)
    chroma = cv2.resize(
        rng.standard_normal((height // 2, width // 2, 3), np.float32),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )
    level = np.sqrt(np.clip(image, 0.02, 1))
    image = image + strength * level * (luma + 0.9 * (chroma - chroma.mean(axis=2, keepdims=True)))
    contrast = float(rng.uniform(0.0, 0.35))
    image = np.clip(image, 0, 1)
    image = (1 - contrast) * image + contrast * image * image * (3 - 2 * image)
    return _jpeg(_quantize(image), int(rng.integers(60, 93)))


def _vignette(height: int, width: int, strength: float) -> np.ndarray:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return 1 - np.float32(strength) * (0.3 * y * y + 0.7 * x * x)


def _quantize(image: np.ndarray) -> np.ndarray:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


_CAMERAS: dict[Style, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "synthetic": _clean,
    "real": _flawed,
}


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
