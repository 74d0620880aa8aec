"""Random views of an image, whose content a self-distilled encoder learns to recognise in each other."""

from __future__ import annotations

import cv2
import numpy as np

from vfm_fusion.config.pretraining import SelfDistillationConfig
from vfm_fusion.pretraining.crops import cut, draw_window
from vfm_fusion.segmentation.color import jitter_color


def global_views(image: np.ndarray, settings: SelfDistillationConfig, rng: np.random.Generator) -> np.ndarray:
    """Draws the two large views of an image: ``(H, W, 3)`` -> ``(2, 3, S, S)`` uint8."""
    side, scale = settings.global_side, settings.global_scale
    return np.stack([_view(image, side, scale, settings, rng) for _ in range(2)])


def local_views(image: np.ndarray, settings: SelfDistillationConfig, rng: np.random.Generator) -> np.ndarray:
    """Draws the small views of an image: ``(H, W, 3)`` -> ``(local_views, 3, S, S)`` uint8."""
    side, scale, count = settings.local_side, settings.local_scale, settings.local_views
    if not count:
        return np.empty((0, 3, side, side), np.uint8)
    return np.stack([_view(image, side, scale, settings, rng) for _ in range(count)])


def _view(
    image: np.ndarray,
    side: int,
    scale: tuple[float, float],
    settings: SelfDistillationConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    view = cut(image, draw_window(*image.shape[:2], side, scale, rng), side)
    if rng.random() < settings.jitter_share:
        view = jitter_color(view, rng)
    if rng.random() < settings.grey_share:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < settings.blur_share:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    return np.ascontiguousarray(view.transpose(2, 0, 1))  # (3, S, S)
