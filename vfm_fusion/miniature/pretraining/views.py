"""Random views of a region, whose content a self-distilled encoder learns to recognise in each other."""

from __future__ import annotations

import cv2
import numpy as np

from vfm_fusion.config.pretraining import SelfDistillationConfig
from vfm_fusion.miniature.pretraining.crops import cut, draw_window
from vfm_fusion.training.color import jitter_color


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
