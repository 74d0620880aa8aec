"""Random square crops of an image and of its labels, views of a region, and patches that are hidden."""

from __future__ import annotations

import cv2
import numpy as np

from vfm_fusion.config.pretraining import SelfDistillationConfig
from vfm_fusion.training.color import jitter_color


def draw_window(
    height: int, width: int, side: int, scale: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int, int]:
    """Draws what a square crop shows.

    Args:
        height, width: size of the image in pixels.
        side: side of the crop in pixels.
        scale: smallest and largest side of what it shows, over ``side``; drawn log-uniformly.
        rng: drawn from three times.

    Returns:
        ``(top, left, size)``; the size is cut off at the image's shorter side.
    """
    size = side * float(np.exp(rng.uniform(*np.log(scale))))
    size = min(round(size), height, width)
    return int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1)), size


def cut(pixels: np.ndarray, window: tuple[int, int, int], side: int, *, labels: bool = False) -> np.ndarray:
    """Cuts a window out and resizes it.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)``.
        window: ``(top, left, size)``.
        side: side of the result.
        labels: True for ids, of which the nearest is taken; colours are averaged or interpolated.

    Returns:
        ``(side, side)`` or ``(side, side, 3)`` of the same dtype.
    """
    top, left, size = window
    part = pixels[top : top + size, left : left + size]
    if labels:
        return cv2.resize(part, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    shrinks = size > side
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def draw_views(
    image: np.ndarray, settings: SelfDistillationConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a square region of an image, and views of it.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        settings: sizes and numbers.
        rng: the step's stream.

    Returns:
        Two global views ``(2, 3, S, S)`` and the local ones ``(local_views, 3, s, s)``, uint8.
    """
    top, left, size = draw_window(*image.shape[:2], 1, settings.region, rng)
    region = image[top : top + size, left : left + size]
    large = [_view(region, settings.global_side, settings.global_scale, settings, rng) for _ in range(2)]
    side = settings.local_side
    small = [_view(region, side, settings.local_scale, settings, rng) for _ in range(settings.local_views)]
    return np.stack(large), np.stack(small) if small else np.empty((0, 3, side, side), np.uint8)


def draw_mask(grid: int, share: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Hides rectangles of patches until a random share is hidden (BEiT's block-wise masking).

    Args:
        grid: patches along a side of the view.
        share: smallest and largest share of hidden patches; drawn uniformly.
        rng: the step's stream.

    Returns:
        ``(grid, grid)`` bool, True where hidden; at least one patch is, and at least one is not. The number
        of hidden patches is the share, rounded.
    """
    wanted = int(np.clip(round(rng.uniform(*share) * grid * grid), 1, grid * grid - 1))
    mask = np.zeros((grid, grid), bool)
    while mask.sum() < wanted:
        height, width = rng.integers(1, max(2, grid // 2 + 1), size=2)
        top, left = rng.integers(grid - height + 1), rng.integers(grid - width + 1)
        mask[top : top + height, left : left + width] = True
    hidden = np.flatnonzero(mask)
    mask.flat[rng.permutation(hidden)[wanted:]] = False
    return mask


def _view(
    region: np.ndarray,
    side: int,
    scale: tuple[float, float],
    settings: SelfDistillationConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    sides = (scale[0] * len(region) / side, scale[1] * len(region) / side)
    view = cut(region, draw_window(*region.shape[:2], side, sides, rng), side)
    if rng.random() < settings.jitter_share:
        view = jitter_color(view, rng)
    if rng.random() < settings.grey_share:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < settings.blur_share:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    return np.ascontiguousarray(view.transpose(2, 0, 1))  # (3, S, S)
