"""The geometry of ``features.image_size``: which part of an image is kept, and how large it becomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.image_size import ImageSize, plain_image_size, read_image_size
from vfm_fusion.datasets.fitting import Fit, describe_fit, fit_image


def whole(height: int, width: int) -> tuple[slice, slice]:
    return slice(0, height), slice(0, width)


@pytest.mark.parametrize(
    ("size", "plain", "fit"),
    [
        ((427, 640), None, Fit(whole(427, 640), (427, 640), (427, 640))),
        ((427, 640), [480, 640], Fit(whole(427, 640), (480, 640), (480, 640))),
        ((600, 800), {"short_side": 300}, Fit(whole(600, 800), (300, 400), (300, 400))),
        ((800, 600), {"short_side": 300}, Fit(whole(800, 600), (400, 300), (400, 300))),
        ((300, 900), {"short_side": 200, "max_side": 450}, Fit(whole(300, 900), (150, 450), (150, 450))),
        ((300, 400), {"short_side": 200, "max_side": 450}, Fit(whole(300, 400), (200, 267), (200, 267))),
        ((600, 800), {"long_side": 400}, Fit(whole(600, 800), (300, 400), (300, 400))),
        ((800, 600), {"long_side": 1600}, Fit(whole(800, 600), (1600, 1200), (1600, 1200))),
        ((600, 800), {"pad": [400, 400]}, Fit(whole(600, 800), (300, 400), (400, 400))),
        ((800, 600), {"pad": [480, 640]}, Fit(whole(800, 600), (480, 360), (480, 640))),
        ((600, 800), {"crop": [300, 300]}, Fit((slice(0, 600), slice(100, 700)), (300, 300), (300, 300))),
        ((800, 600), {"crop": [64, 128]}, Fit((slice(250, 550), slice(0, 600)), (64, 128), (64, 128))),
        ((480, 640), {"crop": [480, 640]}, Fit(whole(480, 640), (480, 640), (480, 640))),
        ((5, 4000), {"long_side": 64}, Fit(whole(5, 4000), (1, 64), (1, 64))),
    ],
)
def test_each_form_gives_the_size_that_follows_from_it(size, plain, fit: Fit) -> None:
    assert fit_image(*size, read_image_size(plain)) == fit


sides = st.integers(1, 3000)
boxes = st.tuples(st.integers(32, 1500), st.integers(32, 1500))
settings = st.one_of(
    st.none(),
    boxes,
    st.builds(lambda side: {"short_side": side}, st.integers(32, 1500)),
    st.builds(lambda side: {"long_side": side}, st.integers(32, 1500)),
    st.builds(lambda box: {"pad": box}, boxes),
    st.builds(lambda box: {"crop": box}, boxes),
).map(read_image_size)


@given(sides, sides, settings)
def test_the_window_lies_in_the_image_and_fills_the_canvas_as_far_as_its_shape_allows(
    height: int, width: int, setting: ImageSize | None
) -> None:
    fit = fit_image(height, width, setting)
    kept = np.empty((height, width), np.bool)[fit.window].shape
    assert kept[0] == height or kept[1] == width
    assert kept[0] > 0
    assert kept[1] > 0
    assert fit.size[0] == fit.canvas[0] or fit.size[1] == fit.canvas[1]
    assert fit.size <= fit.canvas
    if not isinstance(setting, tuple) and 1 not in (*kept, *fit.size):  # the shape is kept, to half a pixel
        difference = abs(fit.size[0] * kept[1] - fit.size[1] * kept[0])
        assert difference <= max(sum(fit.size), sum(kept)) / 2 + 1e-6


def test_settings_are_read_back_from_plain_data_and_said_in_words() -> None:
    for plain, words in (
        ([480, 640], "480 x 640"),
        ({"short_side": 512, "max_side": None}, "short side 512"),
        ({"short_side": 512, "max_side": 1024}, "short side 512, max side 1024"),
        ({"pad": [480, 640]}, "pad 480 x 640"),
    ):
        setting = read_image_size(plain)
        assert plain_image_size(setting) == plain
        assert describe_fit(setting) == words
