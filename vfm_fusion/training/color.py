"""Random colours of a training image."""

from __future__ import annotations

import cv2
import numpy as np

_LEVELS = np.arange(256, dtype=np.float32)
_HUES = 180  # OpenCV's hues of 8-bit images are half degrees


def distort_color(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes colours as SSD and Mask2Former do; every change is made to half of the images.

    Brightness (up to 32 levels), then contrast (a factor of .5 to 1.5) before or after saturation (the same)
    and hue (up to 18 of 180). As there, levels are cut off to integers; saturation and hue change together.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        rng: always drawn from in the same order and number.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    changed = rng.random(4) < 0.5
    first = rng.random() < 0.5
    brightness = np.float32(rng.uniform(-32, 32))
    contrast, saturation = rng.uniform(0.5, 1.5, size=2).astype(np.float32)
    turn = int(rng.integers(-18, 19))

    before = _cut(_LEVELS + brightness) if changed[0] else _cut(_LEVELS)
    after = _cut(_LEVELS * contrast) if changed[1] else _cut(_LEVELS)
    image = cv2.LUT(image, after[before] if first else before)
    if changed[2] or changed[3]:
        hues = (np.arange(256) + turn * bool(changed[3])) % _HUES
        saturations = _cut(_LEVELS * saturation) if changed[2] else _LEVELS
        table = np.stack([hues, saturations, _LEVELS], axis=-1).astype(np.uint8)[None]  # (1, 256, 3)
        turned = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
        image = cv2.cvtColor(turned, cv2.COLOR_HSV2RGB)
    return image if first else cv2.LUT(image, after)


def jitter_color(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifts brightness by up to 32/255 and scales contrast and saturation by 0.5 to 1.5.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        rng: always drawn from in the same order and number.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    brightness = rng.uniform(-32, 32)
    contrast, saturation = rng.uniform(0.5, 1.5, size=2)
    pixels = image.astype(np.float32) * np.float32(contrast) + np.float32(brightness)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)  # (H, W, 3) -> (H, W)
    pixels = grey[..., None] + np.float32(saturation) * (pixels - grey[..., None])
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _cut(levels: np.ndarray) -> np.ndarray:
    return np.clip(levels, 0, 255).astype(np.uint8)
