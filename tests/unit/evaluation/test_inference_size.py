"""The size that images are segmented at, and that predictions come back at the images' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from vfm_fusion.config.evaluation import EvaluationConfig, ResizeConfig
from vfm_fusion.segmentation.head import MaskPrediction
from vfm_fusion.segmentation.inference import inference_size, predict
from vfm_fusion.segmentation.task_classes import TaskClasses

ADE20K = ResizeConfig(short_side=640, max_side=2560)
COCO = ResizeConfig(short_side=800, max_side=1333)


def shortest_edge(height: int, width: int, resize: ResizeConfig) -> tuple[int, int]:
    """detectron2's ``ResizeShortestEdge.get_output_shape``, written out."""
    scale = resize.short_side / min(height, width)
    sides = [scale * height, scale * width]
    if max(sides) > resize.max_side:
        shrink = resize.max_side / max(sides)
        sides = [side * shrink for side in sides]
    return math.floor(sides[0] + 0.5), math.floor(sides[1] + 0.5)


def nearest_32(side: int) -> int:
    return max(32, 32 * math.floor(side / 32 + 0.5))


def test_without_resizing_only_the_multiple_of_32_is_taken() -> None:
    assert inference_size(1024, 2048, None) == (1024, 2048)
    assert inference_size(360, 480, None) == (352, 480)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((512, 683), ADE20K, (640, 864)),  # 640 x 853.75
        ((300, 2000), ADE20K, (384, 2560)),  # the longer side limits
        ((480, 640), COCO, (800, 1056)),  # 800 x 1066.7
        ((640, 480), COCO, (1056, 800)),
        ((427, 640), COCO, (800, 1184)),  # 800 x 1199.06
        ((375, 1242), COCO, (416, 1344)),  # 402.5 x 1333: multiples of 32 may pass the limit by less than 16
    ],
)
def test_the_sides_are_those_of_mask2former(size, resize, expected) -> None:
    assert inference_size(*size, resize) == expected


@pytest.mark.parametrize("resize", [ADE20K, COCO])
def test_random_sizes_agree_with_detectron2s_rule(resize: ResizeConfig) -> None:
    rng = np.random.default_rng(0)
    for height, width in rng.integers(30, 3000, (300, 2)).tolist():
        expected = tuple(nearest_32(side) for side in shortest_edge(height, width, resize))
        assert inference_size(height, width, resize) == expected


CLASSES = TaskClasses("panoptic", (0, 1), ("left", "right"), (False, True))


class LeftAndRight(nn.Module):
    """Says of two queries that they are the left and the right half, at a quarter of the size it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, images: torch.Tensor) -> MaskPrediction:
        self.seen.append(tuple(images.shape))
        height, width = images.shape[-2] // 4, images.shape[-1] // 4
        left = torch.where(torch.arange(width) < width // 2, 9.0, -9.0).expand(len(images), 1, height, width)
        classes = torch.tensor([[9.0, 0, 0], [0, 9.0, 0]]).expand(len(images), 2, 3)
        return MaskPrediction(classes, torch.cat([left, -left], dim=1), ())


def test_predictions_have_the_images_own_size() -> None:
    model = LeftAndRight()
    images = [np.zeros((50, 70, 3), np.uint8)] * 2
    config = EvaluationConfig(resize=ResizeConfig(short_side=128, max_side=160))
    predictions = predict(model, images, CLASSES, config)
    assert model.seen == [(2, 3, 128, 160)]  # 114 x 160, in multiples of 32
    for prediction in predictions:
        expected = np.repeat([[0] * 35 + [1] * 35], 50, axis=0)
        np.testing.assert_array_equal(prediction.semantic, expected)
        np.testing.assert_array_equal(prediction.instances.masks[0], expected == 1)
        assert prediction.panoptic.shape == (50, 70)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValidationError, match="short_side 900 is larger than max_side 800"):
        ResizeConfig(short_side=900, max_side=800)
    with pytest.raises(ValidationError, match="greater than or equal to 32"):
        ResizeConfig(short_side=0, max_side=800)
