"""What closes the view: the sky and a distant skyline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.noise import sample

_COARSE = 4  # the sky is smooth: it is computed on every fourth pixel


@dataclass(frozen=True)
class Block:
    """A distant building or wood, seen as a silhouette.

    Attributes:
        label: ``building`` or ``vegetation``.
        x0, x1: its extent to the side in metres.
        z: its distance.
        heights: its outline from left to right, evenly spaced, in metres.
        color: of the whole.
    """

    label: str
    x0: float
    x1: float
    z: float
    heights: tuple[float, ...]
    color: Color


def paint_sky(canvas: Canvas, seed: int) -> None:
    """Paints the sky over the whole canvas: a gradient, clouds, and the glow around the sun."""
    canvas.begin(LABEL_IDS["sky"])
    look, camera = canvas.look, canvas.camera
    rows = np.arange(0, camera.height, _COARSE, dtype=np.float32)[:, None]
    columns = np.arange(0, camera.width, _COARSE, dtype=np.float32)[None, :]
    height = np.clip((camera.horizon - rows) / camera.horizon, 0, 1)
    zenith, horizon = (np.asarray(color, np.float32) for color in look.sky)
    color = horizon + (zenith - horizon) * (height**0.7)[..., None]  # (H, 1, 3)
    depth = 1 / (height + 0.15)  # clouds lie on a ceiling
    texel = depth * (columns / camera.width - 0.5) * 160 + seed % 512
    cloud = sample(1.7, np.broadcast_to(depth * 120 + seed % 97, texel.shape), texel)
    cover = np.clip(0.6 * (cv2.GaussianBlur(cloud, (0, 0), 0.8) + 3 * look.clouds - 1.2), 0, 0.85)
    cover = cover * np.clip(4 * height, 0, 1)
    sky = color + (np.float32(0.95) - color) * cover[..., None]
    if look.sun[2] > 0:
        spot = camera.project(100 * look.sun[None])[0]
        distance = np.hypot(columns - spot[0], rows - spot[1]) / camera.width
        sky += (0.35 * look.diffuse * np.exp(-((distance / 0.16) ** 2)))[..., None]
    size = (camera.width, camera.height)
    canvas.color[:] = cv2.resize(sky.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def paint_skyline(canvas: Canvas, blocks: tuple[Block, ...]) -> None:
    """Paints the silhouettes in the order given, far to near."""
    for block in blocks:
        canvas.begin(LABEL_IDS[block.label])
        x = np.linspace(block.x0, block.x1, len(block.heights))
        top = np.stack([x, np.array(block.heights), np.full(len(x), block.z)], axis=1)
        foot = np.array([(block.x1, 0.0, block.z), (block.x0, 0.0, block.z)])
        canvas.polygon(
            np.concatenate([top, foot]), block.color, canvas.look.shade(np.array([0.0, 0.0, -1.0]))
        )
