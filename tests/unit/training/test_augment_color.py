"""Colours change within their ranges, and as one step after the other would change them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vfm_fusion.training.color import distort_color, jitter_color


def noise(seed: int = 0, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def scaled(pixels: np.ndarray, factor: float = 1, shift: float = 0) -> np.ndarray:
    return np.clip(pixels.astype(np.float32) * np.float32(factor) + np.float32(shift), 0, 255).astype(
        np.uint8
    )


def in_hsv(image: np.ndarray, change) -> np.ndarray:
    return cv2.cvtColor(change(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)), cv2.COLOR_HSV2RGB)


def saturate(factor: float):
    return lambda hsv: np.dstack([hsv[..., 0], scaled(hsv[..., 1], factor), hsv[..., 2]])


def turn(by: int):
    return lambda hsv: np.dstack([((hsv[..., 0].astype(int) + by) % 180).astype(np.uint8), hsv[..., 1:]])


def step_by_step(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same draws, one step after the other; and which of the four were made."""
    made, first = rng.random(4) < 0.5, rng.random() < 0.5
    shift = rng.uniform(-32, 32)
    contrast, saturation = rng.uniform(0.5, 1.5, size=2)
    angle = int(rng.integers(-18, 19))
    steps = [
        (made[0], lambda pixels: scaled(pixels, shift=shift)),
        (made[1] and first, lambda pixels: scaled(pixels, contrast)),
        (made[2], lambda pixels: in_hsv(pixels, saturate(saturation))),
        (made[3], lambda pixels: in_hsv(pixels, turn(angle))),
        (made[1] and not first, lambda pixels: scaled(pixels, contrast)),
    ]
    for taken, step in steps:
        image = step(image) if taken else image
    return image, made


@pytest.mark.parametrize("seed", range(60))
def test_distorted_colours_are_those_of_one_step_after_the_other(seed: int) -> None:
    image = noise(seed)
    expected, made = step_by_step(image, np.random.default_rng(seed))
    found = distort_color(image, np.random.default_rng(seed))
    if not (made[2] and made[3]):
        np.testing.assert_array_equal(found, expected)
    else:  # together they are rounded once, not twice
        off = np.abs(found.astype(int) - expected)
        assert np.quantile(off, 0.99) <= 8
        assert off.mean() < 2


def test_each_change_is_made_to_half_of_the_images() -> None:
    counts = np.zeros(4)
    kept = 0
    for seed in range(400):
        _, made = step_by_step(noise(), np.random.default_rng(seed))
        counts += made
        kept += np.array_equal(distort_color(noise(), np.random.default_rng(seed)), noise())
    assert counts == pytest.approx([200] * 4, abs=40)
    assert kept == pytest.approx(400 / 16, abs=20)


@pytest.mark.parametrize("level", [0, 3, 90, 128, 250, 255])
def test_grey_stays_grey_and_within_what_brightness_and_contrast_allow(level: int) -> None:
    grey = np.full((4, 4, 3), level, np.uint8)
    low, high = 0.5 * max(0, level - 32) - 1, min(255, 1.5 * min(255, level + 32))
    levels = set()
    for seed in range(200):
        found = distort_color(grey, np.random.default_rng(seed))
        assert np.ptp(found) == 0
        assert low <= found[0, 0, 0] <= high
        levels.add(int(found[0, 0, 0]))
    assert min(levels) < 0.7 * level or level < 4
    assert max(levels) > min(255, 1.2 * level) - 1


def test_hue_turns_by_at_most_a_tenth_of_the_circle() -> None:
    red = np.full((1, 1, 3), (100, 0, 0), np.uint8)  # dark enough that no channel is cut off
    hues = set()
    for seed in range(300):
        hue = int(cv2.cvtColor(distort_color(red, np.random.default_rng(seed)), cv2.COLOR_RGB2HSV)[0, 0, 0])
        hues.add(hue if hue < 90 else hue - 180)
    assert min(hues) < -12
    assert max(hues) > 12
    assert all(-20 <= hue <= 20 for hue in hues)  # 18, and what rounding adds


@pytest.mark.parametrize("function", [distort_color, jitter_color])
def test_colours_stay_bytes_and_the_image_is_not_touched(function) -> None:
    image = noise()
    before = image.copy()
    changed = [function(image, np.random.default_rng(seed)) for seed in range(8)]
    assert all(found.dtype == np.uint8 and found.shape == image.shape for found in changed)
    assert any((found != image).mean() > 0.5 for found in changed)
    np.testing.assert_array_equal(image, before)


def test_simple_jitter_keeps_grey_grey() -> None:
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert np.ptp(jitter_color(grey, np.random.default_rng(1))) == 0
