"""The camera's flaws."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vfm_fusion.config.datasets import Style


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
