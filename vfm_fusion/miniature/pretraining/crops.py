"""Random square crops of an image and of its labels."""

from __future__ import annotations

import cv2
import numpy as np


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
