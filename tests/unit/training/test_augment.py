"""Image and labels are cropped, padded, flipped and recoloured together."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vfm_fusion.config.augmentation import (
    AugmentationConfig,
    JitterScale,
    RelativeScale,
    ScaleConfig,
    ShortSideScale,
)
from vfm_fusion.datasets.base import VOID
from vfm_fusion.training.augment import (
    LabelledImage,
    Labels,
    Resizing,
    augment,
    draw_window,
    is_mixed,
)

AS_IT_IS = RelativeScale(range=(1, 1))
SCALES: tuple[ScaleConfig, ...] = (
    RelativeScale(),
    JitterScale(),
    JitterScale(range=(0.1, 0.1)),
    JitterScale(range=(2, 2)),
    ShortSideScale(pixels=64, max_side=256),
)


def labelled(height: int, width: int) -> LabelledImage:
    """Every pixel says where it is: rows and columns as colours, a number of its own as an object."""
    rows, columns = np.mgrid[:height, :width]
    return LabelledImage(
        np.stack([rows % 256, columns % 256, rows * 0 + 7], axis=-1).astype(np.uint8),
        (rows // 8 % 4).astype(np.uint8),
        ((rows * width + columns + 1).astype(np.int32),),
    )


def square(height: int, width: int) -> LabelledImage:
    """A red square of class 3, which is object 5 over object 6, on black of class 0."""
    inside = np.zeros((height, width), bool)
    inside[height // 4 : -height // 4, width // 4 : -width // 4] = True
    image = np.where(inside[..., None], np.array([255, 0, 0]), 0).astype(np.uint8)
    ids = np.where(inside, 5, 0).astype(np.int32)
    covered = np.where(inside, 6, 0).astype(np.int32)
    return LabelledImage(image, np.where(inside, 3, 0).astype(np.uint8), (ids, covered))


def bare(semantic: np.ndarray) -> LabelledImage:
    """A black image with a label map and no objects."""
    return LabelledImage(np.zeros((*semantic.shape, 3), np.uint8), semantic, ())


def place(size: tuple[int, int], config: AugmentationConfig, seed: int) -> tuple[slice, slice]:
    resizing = Resizing(size, size)
    return draw_window(bare(np.zeros(size, np.uint8)), resizing, config, np.random.default_rng(seed))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_a_crop_is_a_window_padded_with_void(height: int, width: int, seed: int) -> None:
    sample = labelled(height, width)
    config = AugmentationConfig(crop=(32, 64), scale=AS_IT_IS, flip=False, color="none")
    cropped = augment(sample, config, np.random.default_rng(seed))
    assert cropped.image.shape == (32, 64, 3)
    (places,) = cropped.instances
    inside = places > 0
    assert inside.sum() == min(32, height) * min(64, width)
    assert inside[0, 0]
    assert (cropped.semantic[~inside] == VOID).all()
    assert (cropped.image[~inside] == 128).all()
    rows, columns = np.divmod(places[inside] - 1, width)
    np.testing.assert_array_equal(cropped.image[inside][:, 0], rows % 256)
    np.testing.assert_array_equal(cropped.image[inside][:, 1], columns % 256)
    np.testing.assert_array_equal(cropped.semantic[inside], sample.semantic[rows, columns])


def test_a_flip_mirrors_image_and_labels_together() -> None:
    sample = labelled(64, 96)
    config = AugmentationConfig(crop=(64, 96), scale=AS_IT_IS, color="none")
    seen = set()
    for seed in range(8):
        found = augment(sample, config, np.random.default_rng(seed))
        (places,) = found.instances
        flipped = places[0, 0] != 1
        seen.add(flipped)
        back = np.s_[:, ::-1] if flipped else np.s_[:, :]
        np.testing.assert_array_equal(places[back], sample.instances[0])
        np.testing.assert_array_equal(found.image[back], sample.image)
    assert seen == {True, False}


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 999), st.sampled_from(SCALES), st.booleans())
@example(127, 127, 39, ShortSideScale(pixels=64, max_side=256), False)
def test_a_coloured_square_moves_with_its_labels(
    height: int, width: int, seed: int, scale: ScaleConfig, ruled: bool
) -> None:
    config = AugmentationConfig(
        crop=(64, 96), scale=scale, color="none", single_category_max_area=0.75 if ruled else 1
    )
    found = augment(square(height, width), config, np.random.default_rng(seed))
    assert found.image.shape == (64, 96, 3)
    assert found.image.dtype == found.semantic.dtype == np.uint8
    inside, outside = found.semantic == 3, found.semantic == 0
    np.testing.assert_array_equal(found.instances[0] == 5, inside)
    np.testing.assert_array_equal(found.instances[1] == 6, inside)
    assert (found.image[found.semantic == VOID] == 128).all()
    assert (found.image[..., 2][~(found.semantic == VOID)] == 0).all()
    # Interpolation mixes colours about as far as one pixel of the original, or of the crop, reaches; what the
    # crop cuts off mixes too.
    factor = max(1, 2 * 96 / max(1, min(height, width)))
    assert (found.image[_eroded(inside, int(2 * factor) + 3)][:, 0] == 255).all()
    assert (found.image[_eroded(outside, int(2 * factor) + 3)] == 0).all()


def _eroded(mask: np.ndarray, size: int) -> np.ndarray:
    kernel = np.ones((size, size), np.uint8)
    return cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("color", ["none", "simple", "ssd"])
def test_the_same_seed_gives_the_same_crop(scale: ScaleConfig, color: str) -> None:
    config = AugmentationConfig(crop=(64, 96), scale=scale, color=color)
    first, again, *others = (
        augment(labelled(70, 50), config, np.random.default_rng(seed)) for seed in (3, 3, 4, 5, 6, 7)
    )
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instances[0], again.instances[0])
    assert any((first.image != other.image).any() for other in others)


def test_what_a_relative_crop_draws_and_in_which_order() -> None:
    sample = labelled(80, 120)
    config = AugmentationConfig(crop=(64, 64), scale=RelativeScale(range=(1, 1)), color="none")
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rng.uniform(1, 1)
        top, left = int(rng.integers(0, 80 - 64 + 1)), int(rng.integers(0, 120 - 64 + 1))
        expected = sample.image[top : top + 64, left : left + 64]
        if rng.random() < 0.5:
            expected = expected[:, ::-1]
        np.testing.assert_array_equal(augment(sample, config, np.random.default_rng(seed)).image, expected)


def test_a_jittered_window_lies_as_far_down_as_to_the_right() -> None:
    config = AugmentationConfig(crop=(32, 32), scale=JitterScale())
    tops = set()
    for seed in range(60):
        rows, columns = place((64, 128), config, seed)
        part = np.random.default_rng(seed).random()
        assert (rows.start, columns.start) == (round(32 * part), round(96 * part))
        tops.add(rows.start)
    assert len(tops) > 20
    assert place((16, 100), config, 0)[0] == slice(0, 16)


@pytest.mark.parametrize(
    ("factor", "shown"), [(0.1, (6, 6)), (0.5, (32, 32)), (1.0, (64, 64)), (2.0, (64, 64))]
)
def test_jitter_pads_what_it_shrinks_and_cuts_what_it_enlarges(factor: float, shown: tuple[int, int]) -> None:
    scale = JitterScale(range=(factor, factor))
    config = AugmentationConfig(crop=(64, 64), scale=scale, flip=False, color="none")
    found = augment(labelled(50, 50), config, np.random.default_rng(0))
    inside = found.semantic != VOID
    assert inside[: shown[0], : shown[1]].all()
    assert inside.sum() == shown[0] * shown[1]


@pytest.mark.parametrize("seed", range(16))
def test_padding_stays_grey_when_colours_change(seed: int) -> None:
    config = AugmentationConfig(crop=(64, 96), scale=AS_IT_IS, color="ssd")
    found = augment(labelled(40, 50), config, np.random.default_rng(seed))
    padding = found.instances[0] == 0
    assert padding.sum() == 64 * 96 - 40 * 50
    assert (found.image[padding] == 128).all()
    assert (found.semantic[padding] == VOID).all()


def test_ssd_leaves_a_given_image_as_it_was() -> None:
    sample = labelled(64, 96)
    before = sample.image.copy()
    config = AugmentationConfig(crop=(64, 96), scale=AS_IT_IS, flip=False, color="ssd")
    for seed in range(8):
        augment(sample, config, np.random.default_rng(seed))
    np.testing.assert_array_equal(sample.image, before)


@pytest.mark.parametrize(
    ("shares", "mixed"),
    [
        ({0: 100}, False),
        ({0: 74, 1: 26}, True),
        ({0: 75, 1: 25}, False),
        ({0: 30, 1: 10, VOID: 60}, False),
        ({0: 20, 1: 20, VOID: 60}, True),
        ({VOID: 100}, False),
        ({254: 50, 0: 50}, True),
    ],
)
def test_shares_are_of_the_labelled_pixels(shares: dict[int, int], mixed: bool) -> None:
    labels = np.repeat(list(shares), list(shares.values())).astype(np.uint8).reshape(10, 10)
    assert is_mixed(labels, 0.75) == mixed


def test_windows_are_drawn_until_no_class_covers_too_much() -> None:
    semantic = np.zeros((32, 320), np.uint8)
    semantic[:, 160:] = 1  # a window of 32 columns shows both classes only where it crosses the middle
    resizing = Resizing(semantic.shape, semantic.shape)
    config = AugmentationConfig(crop=(32, 32), scale=AS_IT_IS, single_category_max_area=0.9)
    first = config.model_copy(update={"single_category_max_area": 1.0})
    passed = {0.9: 0, 1.0: 0}
    for seed in range(200):
        for settings in (config, first):
            window = draw_window(bare(semantic), resizing, settings, np.random.default_rng(seed))
            passed[settings.single_category_max_area] += is_mixed(semantic[window], 0.9)
    # 25 of 289 columns will do: one draw in 11.6; of ten draws, one does with probability .6.
    assert passed[1.0] == pytest.approx(200 * 25 / 289, abs=14)
    assert passed[0.9] == pytest.approx(200 * (1 - (1 - 25 / 289) ** 10), abs=28)


def test_the_tenth_window_is_taken_where_none_will_do() -> None:
    semantic = np.zeros((64, 640), np.uint8)
    config = AugmentationConfig(crop=(32, 32), scale=AS_IT_IS, single_category_max_area=0.75)
    rng = np.random.default_rng(5)
    window = draw_window(bare(semantic), Resizing(semantic.shape, semantic.shape), config, rng)
    same = np.random.default_rng(5)
    drawn = [(int(same.integers(0, 33)), int(same.integers(0, 609))) for _ in range(10)]
    assert (window[0].start, window[1].start) == drawn[9]
    assert rng.random() == same.random()


def test_the_rule_judges_the_resized_labels() -> None:
    semantic = np.zeros((16, 16), np.uint8)
    semantic[:, 8:] = 1
    config = AugmentationConfig(crop=(32, 32), scale=JitterScale(range=(4, 4)), single_category_max_area=0.9)
    resizing = Resizing((16, 16), (128, 128))
    windows = [
        draw_window(bare(semantic), resizing, config, np.random.default_rng(seed)) for seed in range(20)
    ]
    judged = [is_mixed(resizing.labels(semantic, window), 0.9) for window in windows]
    assert sum(judged) >= 15
    assert all(36 <= window[1].start <= 60 for window, mixed in zip(windows, judged, strict=True) if mixed)


def test_a_window_is_drawn_again_until_it_is_accepted() -> None:
    """An object in a corner, which one window in nine shows whole."""
    ids = np.zeros((64, 64), np.int32)
    ids[:8, :8] = 4
    sample = LabelledImage(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), (ids,))
    config = AugmentationConfig(crop=(32, 32), scale=AS_IT_IS, flip=False, color="none")
    asked: list[Labels] = []

    def shown(labels: Labels) -> bool:
        asked.append(labels)
        return bool((labels.instances[0] == 4).any())

    def crops(accept) -> list[LabelledImage]:
        return [augment(sample, config, np.random.default_rng(seed), accept) for seed in range(40)]

    def showing(found: list[LabelledImage]) -> int:
        return sum(bool((crop.instances[0] == 4).any()) for crop in found)

    free, chosen = crops(None), crops(shown)
    assert showing(free) < 10
    assert 15 < showing(chosen) < 40
    assert len(asked) <= 400
    for one, other in zip(free, crops(lambda labels: True), strict=True):
        np.testing.assert_array_equal(one.instances[0], other.instances[0])


def test_a_refused_window_costs_a_draw_of_the_same_stream_and_the_tenth_is_taken() -> None:
    sample, config = bare(np.zeros((64, 640), np.uint8)), AugmentationConfig(crop=(32, 32), scale=AS_IT_IS)
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    window = draw_window(sample, Resizing((64, 640), (64, 640)), config, rng, lambda labels: False)
    drawn = [(int(same.integers(0, 33)), int(same.integers(0, 609))) for _ in range(10)]
    assert (window[0].start, window[1].start) == drawn[9]
    assert rng.random() == same.random()
