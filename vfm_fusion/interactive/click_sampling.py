"""The clicks that a click model is trained with: which object, and where its first clicks lie."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.config.clicks import ClickSamplingConfig
from vfm_fusion.interactive.clicks import UNUSED

SAMPLED_ORDER = 100.0
"""Order of a sampled click in the tensor of points; iterative clicks count from 1."""

_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Target:
    """What is to be segmented in an image.

    Attributes:
        parts: ``(n, H, W)`` bool, the objects that are one target; none in an image without objects.
        others: ``(H, W)`` bool, objects that are not.
        free: ``(H, W)`` bool, pixels whose label is known.
    """

    parts: np.ndarray
    others: np.ndarray
    free: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """``(H, W)`` bool, the whole target."""
        return self.parts.any(axis=0)


def sample_target(
    objects: np.ndarray, ignored: np.ndarray, config: ClickSamplingConfig, rng: np.random.Generator
) -> Target:
    """Picks an object at random, at times two as one.

    Args:
        objects: ``(n, H, W)`` bool; objects without pixels are passed over.
        ignored: ``(H, W)`` bool, pixels of unknown label.
        config: how often two are merged.
        rng: random numbers.
    """
    seen = np.flatnonzero(objects.any(axis=(1, 2))) if len(objects) else np.zeros(0, int)
    count = min(len(seen), 1)
    if len(seen) > 1 and rng.random() < config.merge:
        count = 2
    chosen = rng.choice(seen, count, replace=False) if count else seen
    parts = objects[chosen]
    others = objects[np.setdiff1d(seen, chosen)].any(axis=0) & ~parts.any(axis=0)
    return Target(parts, others, ~ignored)


def sample_points(target: Target, config: ClickSamplingConfig, rng: np.random.Generator) -> np.ndarray:
    """Draws the first clicks.

    A single object has 1 + n positive clicks, n < slots with a probability in decay^n. Merged objects have
    one each, and n <= slots more, each on any of them. Objects are eroded for all their clicks or for none.
    Of n <= slots negative clicks, each lies in the background, on another object, or in a ring around the
    target, or nowhere where there is no such pixel.

    Args:
        target: what is to be segmented.
        config: the laws.
        rng: random numbers.

    Returns:
        ``(2 P, 3)`` float32, see :func:`~vfm_fusion.interactive.clicks.points_tensor`.
    """
    points = np.full((2 * config.slots, 3), UNUSED, np.float32)
    for first, clicks in (
        (0, _positive(target, config, rng)),
        (config.slots, _negative(target, config, rng)),
    ):
        for slot, (row, col) in enumerate(clicks[: config.slots], start=first):
            points[slot] = row, col, SAMPLED_ORDER
    return points


def draw_count(most: int, decay: float, rng: np.random.Generator) -> int:
    """Draws n from 0 to ``most``, with a probability in decay^n."""
    weights = decay ** np.arange(most + 1)
    return int(rng.choice(most + 1, p=weights / weights.sum()))


def border_ring(mask: np.ndarray, ratio: float) -> np.ndarray:
    """Returns what dilations by 3 x 3 add to a mask, as many as ``ratio`` times the root of its area."""
    grown = cv2.dilate(mask.astype(np.uint8), _SQUARE, iterations=int(np.ceil(ratio * np.sqrt(mask.sum()))))
    return (grown > 0) & ~mask


def _positive(target: Target, config: ClickSamplingConfig, rng: np.random.Generator) -> list[np.ndarray]:
    if not len(target.parts):
        return []
    masks = [_eroded(part, config, rng) for part in target.parts]
    first_law = config.slots - 1 if len(masks) == 1 else config.slots
    more = rng.integers(len(masks), size=draw_count(first_law, config.decay, rng))
    return [_pixel(mask, rng) for mask in [*masks, *(masks[part] for part in more)]]


def _negative(target: Target, config: ClickSamplingConfig, rng: np.random.Generator) -> list[np.ndarray]:
    mask = target.mask
    background = target.free & ~mask
    weights = np.array([config.background, config.others, config.border])
    regions = [background, target.others & target.free, border_ring(mask, config.border_ratio) & target.free]
    if not regions[1].any():
        regions[1] = background
    if not mask.any():
        regions = [background] * 3
    count = draw_count(config.slots, config.decay, rng)
    drawn = rng.choice(3, count, p=weights / weights.sum())
    return [_pixel(regions[which], rng) for which in drawn if regions[which].any()]


def _eroded(mask: np.ndarray, config: ClickSamplingConfig, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= config.erode:
        return mask
    smaller = cv2.erode(mask.astype(np.uint8), _SQUARE, iterations=config.erosions) > 0
    return smaller if smaller.sum() > config.erosion_floor else mask


def _pixel(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(row, column) of a pixel of the mask, each as probable."""
    pixels = np.flatnonzero(mask)
    return np.array(np.unravel_index(pixels[rng.integers(len(pixels))], mask.shape))
