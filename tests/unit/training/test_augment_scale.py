"""Random sizes of training images, and windows of resized ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, RelativeScale, ShortSideScale
from vfm_fusion.training.augment import Resizing, draw_size, nearest, short_side_size

CITYSCAPES, ADE20K = ShortSideScale(), ShortSideScale(pixels=640, max_side=2560)
WHOLE = (slice(None), slice(None))


def sizes(scale, size: tuple[int, int], count: int = 300) -> set[tuple[int, int]]:
    config = AugmentationConfig(crop=(512, 1024), scale=scale)
    return {draw_size(size, config, np.random.default_rng(seed)) for seed in range(count)}


@pytest.mark.parametrize("pixels", [512, 640, 1024])
def test_short_sides_are_tenths_of_the_recipes_length(pixels: int) -> None:
    assert ShortSideScale(pixels=pixels).lengths == tuple(pixels * tenths // 10 for tenths in range(5, 21))


@pytest.mark.parametrize(
    ("size", "length", "max_side", "expected"),
    [
        ((1024, 2048), 614, 4096, (614, 1228)),
        ((2048, 1024), 2048, 4096, (4096, 2048)),
        ((480, 640), 448, 2560, (448, 597)),  # 597.3
        ((427, 640), 320, 2560, (320, 480)),  # 479.6
        ((100, 300), 50, 90, (30, 90)),
        ((100, 301), 50, 90, (30, 90)),  # 29.9
        ((7, 7), 3, 5, (3, 3)),
        ((1, 2000), 4, 100, (1, 100)),
    ],
)
def test_the_shorter_side_takes_a_length_and_the_longer_is_limited(
    size: tuple[int, int], length: int, max_side: int, expected: tuple[int, int]
) -> None:
    assert short_side_size(size, length, max_side) == expected


def test_every_length_of_a_recipe_is_drawn() -> None:
    assert {size[0] for size in sizes(CITYSCAPES, (1024, 2048))} == set(CITYSCAPES.lengths)
    assert {size[1] for size in sizes(ADE20K, (683, 512))} == set(ADE20K.lengths)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 99))
def test_a_drawn_size_keeps_the_shape_and_the_limit(height: int, width: int, seed: int) -> None:
    config = AugmentationConfig(scale=ADE20K)
    new = draw_size((height, width), config, np.random.default_rng(seed))
    assert max(new) <= 2560
    assert min(new) in ADE20K.lengths or max(new) == 2560
    factor = max(new) / max(height, width)
    assert min(new) == pytest.approx(max(1, min(height, width) * factor), abs=1)


def test_a_relative_factor_multiplies_both_sides() -> None:
    config = AugmentationConfig(scale=RelativeScale(range=(0.8, 1.25)))
    for seed in range(20):
        factor = np.random.default_rng(seed).uniform(0.8, 1.25)
        new = draw_size((100, 333), config, np.random.default_rng(seed))
        assert new == (round(100 * factor), round(333 * factor))
    assert sizes(RelativeScale(range=(0.01, 0.01)), (3, 200)) == {(1, 2)}


@pytest.mark.parametrize(
    ("factor", "size", "expected"),
    [
        (0.1, (480, 640), (77, 102)),  # 640 x .16
        (2.0, (480, 640), (1536, 2048)),
        (2.0, (1000, 500), (2048, 1024)),
        (1.0, (1, 1), (1024, 1024)),
        (0.1, (4000, 3), (102, 1)),
    ],
)
def test_jitter_fits_an_image_into_the_crop_times_a_factor(
    factor: float, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    config = AugmentationConfig(crop=(1024, 1024), scale=JitterScale(range=(factor, factor)))
    assert draw_size(size, config, np.random.default_rng(0)) == expected


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 99))
def test_a_jittered_image_touches_the_scaled_crop_and_stays_within(h: int, w: int, seed: int) -> None:
    config = AugmentationConfig(crop=(256, 512), scale=JitterScale())
    factor = np.random.default_rng(seed).uniform(0.1, 2.0)
    new = draw_size((h, w), config, np.random.default_rng(seed))
    box = 256 * factor, 512 * factor
    assert new[0] <= max(1, box[0] + 0.5)
    assert new[1] <= max(1, box[1] + 0.5)
    assert new[0] == round(box[0]) or new[1] == round(box[1])


@given(st.data())
def test_a_window_of_labels_is_that_of_the_resized_whole(data: st.DataObject) -> None:
    old = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    new = data.draw(st.tuples(st.integers(1, 130), st.integers(1, 130)))
    window = tuple(slice(*sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2)))) for side in new)
    labels = np.arange(old[0] * old[1], dtype=np.int32).reshape(old)
    whole = cv2.resize(labels, new[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(Resizing(old, new).labels(labels, window), whole[window])


def test_the_nearest_pixel_is_the_one_under_the_centre() -> None:
    assert nearest(2, 6).tolist() == [0, 0, 0, 1, 1, 1]
    assert nearest(6, 2).tolist() == [1, 4]
    assert nearest(5, 5).tolist() == [0, 1, 2, 3, 4]


def test_shrinking_averages_and_enlarging_interpolates() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2] = 100
    assert (Resizing((4, 4), (2, 2)).image(image, WHOLE) == 50).all()
    rows = Resizing((4, 4), (8, 4)).image(image, WHOLE)[:, 0, 0]
    assert rows.tolist() == [100, 75, 25, 25, 75, 75, 25, 0]
    np.testing.assert_array_equal(Resizing((4, 4), (4, 4)).image(image, np.s_[1:3, :]), image[1:3])


@pytest.mark.parametrize("band", [np.s_[9:21, :], np.s_[:, 12:30]])
def test_pixels_and_labels_of_an_enlarged_image_lie_together(band: tuple[slice, slice]) -> None:
    labels = np.zeros((30, 45), np.uint8)
    labels[band] = 1
    resizing = Resizing((30, 45), (77, 101))
    image = resizing.image(np.repeat(labels[..., None] * 200, 3, axis=2), WHOLE)[..., 0]
    np.testing.assert_array_equal(image >= 100, resizing.labels(labels, WHOLE) == 1)
