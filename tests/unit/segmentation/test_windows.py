"""Inference in sliding windows: where they lie, and that their scores are averaged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig, WindowConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.head import MaskPrediction
from vfm_fusion.segmentation.inference import class_evidence, predict, windowed_evidence, windows
from vfm_fusion.segmentation.task_classes import TaskClasses

CLASSES = TaskClasses("semantic", (0, 1), ("road", "sky"), (False, False))


def window(size: tuple[int, int], stride: tuple[int, int]) -> WindowConfig:
    return WindowConfig(size=size, stride=stride)


class Pointwise(torch.nn.Module):
    """Two certain queries, road where an image is bright and sky where it is dark; notes what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(4.0))
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> MaskPrediction:
        self.shown.append(images)
        bright = self.scale * (images[:, :1] - 0.5)
        certain = torch.tensor([[40.0, 0, 0], [0, 40.0, 0]]).expand(len(images), -1, -1)
        return MaskPrediction(certain, torch.cat([bright, -bright], dim=1), ())


class Counting(Pointwise):
    """The evidence for road in every window is the window's number."""

    def forward(self, images: Tensor) -> MaskPrediction:
        output = super().forward(images)
        road = torch.full_like(output.mask_logits[:, :1], len(self.shown) / 16).logit()
        return MaskPrediction(output.class_logits, torch.cat([road, -road], dim=1), ())


@pytest.mark.parametrize(
    ("image", "config", "count"),
    [
        ((1024, 2048), window((512, 512), (341, 341)), 18),  # MFuser's, mfuser.md section 9
        ((720, 1280), window((512, 512), (341, 341)), 8),
        ((512, 512), window((512, 512), (341, 341)), 1),
        ((64, 96), window((512, 512), (341, 341)), 1),
        ((64, 640), window((512, 512), (512, 512)), 2),
    ],
)
def test_windows_cover_the_image_and_end_at_its_border(
    image: tuple[int, int], config: WindowConfig, count: int
) -> None:
    found = windows(image, config)
    assert len(set(map(str, found))) == len(found) == count
    covered = np.zeros(image, int)
    for rows, columns in found:
        assert (rows.stop - rows.start, columns.stop - columns.start) == tuple(
            min(side, length) for side, length in zip(config.size, image, strict=True)
        )
        covered[rows, columns] += 1
    assert covered.min() == 1
    assert (found[-1][0].stop, found[-1][1].stop) == image


def test_overlaps_are_averaged() -> None:
    """Three windows of 64 over 128 columns, 48 apart: [0, 64), [48, 112), [64, 128)."""
    model = Counting()
    found = windowed_evidence(model, torch.zeros(1, 3, 64, 128), window((64, 64), (64, 48)))
    assert len(model.shown) == 3
    assert found.shape == (1, 2, 64, 128)
    expected = np.repeat([1, 1.5, 2.5, 3], [48, 16, 48, 16]) / 16
    np.testing.assert_allclose(found[0, 0], np.tile(expected, (64, 1)), rtol=1e-5)
    np.testing.assert_allclose(found.sum(dim=1), 1, rtol=1e-5)


def test_a_pointwise_model_sees_the_same_in_windows_as_in_the_whole() -> None:
    images = torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(0))
    output = Pointwise()(images)
    whole = class_evidence(output.class_logits.softmax(-1), output.mask_logits.sigmoid())
    for config in (window((96, 160), (1, 1)), window((64, 64), (32, 48)), window((32, 96), (5, 7))):
        torch.testing.assert_close(windowed_evidence(Pointwise(), images, config), whole)


def test_the_evidence_is_that_of_one_image_bit_for_bit() -> None:
    probabilities, masks = torch.rand(7, 5).softmax(-1), torch.rand(7, 33, 50)
    expected = torch.einsum("qk,qhw->khw", probabilities[:, :-1], masks)
    assert torch.equal(class_evidence(probabilities, masks), expected)


@pytest.mark.parametrize("size", [(96, 128), (90, 131)])
def test_one_window_is_the_whole_image_bit_for_bit(
    encoders: dict[str, EncoderConfig], head_config: HeadConfig, size: tuple[int, int]
) -> None:
    model = build_segmenter(RunConfig(master="hiera"), encoders, (), head_config, len(CLASSES), 0).eval()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    whole, one, many = (
        predict(model, [image], CLASSES, EvaluationConfig(window=config))[0].semantic
        for config in (None, window((128, 160), (64, 64)), window((64, 64), (32, 32)))
    )
    assert whole.shape == many.shape == size
    np.testing.assert_array_equal(one, whole)
    assert many.dtype == whole.dtype


def test_the_maps_of_windows_are_resized_to_the_image() -> None:
    model = Pointwise()
    image = np.zeros((50, 203, 3), np.uint8)
    image[:, :100] = 255
    (found,) = predict(model, [image], CLASSES, EvaluationConfig(window=window((64, 64), (64, 64))))
    assert {tuple(shown.shape[-2:]) for shown in model.shown} == {(64, 64)}
    assert found.semantic.shape == (50, 203)
    assert (found.semantic[:, :98] == 0).all()
    assert (found.semantic[:, 102:] == 1).all()


def test_objects_are_refused() -> None:
    things = TaskClasses("panoptic", (0, 1), ("road", "car"), (False, True))
    with pytest.raises(ConfigError, match=r"evaluation\.window: objects .* task is panoptic"):
        predict(
            Pointwise(),
            [np.zeros((64, 64, 3), np.uint8)],
            things,
            EvaluationConfig(window=window((32, 32), (32, 32))),
        )


@pytest.mark.parametrize(
    ("size", "stride", "message"),
    [
        ((48, 64), (32, 32), r"size \[48, 64\]: both sides must be multiples of 32"),
        ((64, 64), (65, 32), r"stride \[65, 32\] must be from 1 to the size"),
        ((64, 64), (0, 32), r"stride \[0, 32\] must be from 1"),
    ],
)
def test_impossible_windows_are_refused(size: tuple, stride: tuple, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        window(size, stride)
