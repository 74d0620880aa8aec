"""A click model that knows the mask, under the whole protocol: the way to what it sees and back is exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from interactive_toys import toy_model
from torch import Tensor

from vfm_fusion.config.clicks import ClickProtocolConfig, ZoomConfig
from vfm_fusion.datasets.base import Instances, Sample
from vfm_fusion.datasets.readers.click_sets import CATEGORIES, OBJECT
from vfm_fusion.encoders.spec import IMAGENET_MEAN, IMAGENET_STD
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.click_predictor import ClickPredictor
from vfm_fusion.interactive.click_protocol import ClickedResult, objects_of, play

Draw = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
"""Rows, columns, height, width -> the mask."""

THIN: dict[str, Draw] = {
    "a row": lambda rows, cols, h, w: rows == h // 3,
    "a column": lambda rows, cols, h, w: cols == 2 * w // 3,
    "the first row": lambda rows, cols, h, w: rows == 0,
    "the last column": lambda rows, cols, h, w: cols == w - 1,
    "a part of a row": lambda rows, cols, h, w: (rows == h - 2) & (cols > w // 2),
    "a cross": lambda rows, cols, h, w: (rows == h // 2) | (cols == w // 4),
}
"""One pixel wide: seen where an image is not shrunk."""
LARGE: dict[str, Draw] = {
    "the whole image": lambda rows, cols, h, w: rows >= 0,
    "the upper half": lambda rows, cols, h, w: rows < h // 2,
    "a corner": lambda rows, cols, h, w: (rows > 2 * h // 3) & (cols > 2 * w // 3),
    "a disc": lambda rows, cols, h, w: np.hypot(rows - h / 2, cols - w / 3) < min(h, w) / 4,
    "two parts": lambda rows, cols, h, w: (cols < w // 4) | (cols >= 3 * w // 4),
    "a ring": lambda rows, cols, h, w: abs(np.hypot(rows - h / 2, cols - w / 2) - h / 3) < h / 12,
}
SMALL: dict[str, Draw] = {
    "in the middle": lambda rows, cols, h, w: (abs(rows - h // 2) < 12) & (abs(cols - w // 2) < 9),
    "in a corner": lambda rows, cols, h, w: (rows < 24) & (cols >= w - 20),
    "at a border": lambda rows, cols, h, w: (rows >= h - 14) & (abs(cols - w // 4) < 14),
}
"""Found at the first click, measured at the second: the model then sees the part around it."""


def painted(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """An upsampler whose first channel is the image's red in [0, 1], all others 0."""
    red = image[:, :1] * IMAGENET_STD[0] + IMAGENET_MEAN[0]
    return torch.cat([red, features.new_zeros(len(image), features.shape[1] - 1, *size)], dim=1)


@pytest.fixture(scope="module")
def knowing() -> ClickModel:
    """A click model that answers with what is painted white, whatever is clicked."""
    model = toy_model(upsampler=painted, inject="late_hr", head="linear")
    for parameter in (*model.click_encoder.parameters(), *model.head.parameters()):
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        model.head[0].weight[0, 0], model.head[0].bias[0] = 20, -10
    return model


def clicked(model: ClickModel, draw: Draw, size: tuple[int, int], **zoom: object) -> ClickedResult:
    """Plays the protocol on an image of one object, white on black."""
    mask = draw(*np.mgrid[: size[0], : size[1]], *size)
    image = np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    objects = Instances(mask.astype(np.int32), np.array([OBJECT]), np.zeros(1, bool))
    protocol = ClickProtocolConfig(max_clicks=3, zoom=ZoomConfig(**zoom))
    predictor = ClickPredictor(model, protocol.zoom, flip=protocol.flip)
    predictor.set_image(image)
    (target,) = objects_of(Sample("a", image, mask.astype(np.uint8), objects), CATEGORIES, protocol)
    return play(predictor, target, protocol)


@pytest.mark.parametrize("size", [(224, 224), (150, 201), (97, 223)])
@pytest.mark.parametrize("draw", [*THIN.values(), *LARGE.values()], ids=[*THIN, *LARGE])
def test_objects_of_images_that_are_not_shrunk(
    knowing: ClickModel, draw: Draw, size: tuple[int, int]
) -> None:
    assert clicked(knowing, draw, size).ious.min() >= 0.95


@pytest.mark.parametrize("size", [(400, 600), (700, 300)])
@pytest.mark.parametrize("draw", LARGE.values(), ids=LARGE)
def test_large_objects_of_images_that_are_shrunk(
    knowing: ClickModel, draw: Draw, size: tuple[int, int]
) -> None:
    assert clicked(knowing, draw, size).ious.min() >= 0.95


@pytest.mark.parametrize("size", [(400, 600), (700, 300)])
@pytest.mark.parametrize("draw", SMALL.values(), ids=SMALL)
def test_small_objects_of_images_that_are_shrunk_are_zoomed_in_on(
    knowing: ClickModel, draw: Draw, size: tuple[int, int]
) -> None:
    first, *later = clicked(knowing, draw, size).ious
    assert first > 0.4
    assert min(later) >= 0.95


@pytest.mark.parametrize("draw", [*THIN.values(), *LARGE.values()], ids=[*THIN, *LARGE])
def test_at_their_own_size_not_a_pixel_is_lost(knowing: ClickModel, draw: Draw) -> None:
    assert clicked(knowing, draw, (64, 96), side=None).ious.tolist() == [1, 1, 1]
