"""Mean IoU in closed form and against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.errors import LabelError, ShapeError
from vfm_fusion.evaluation.mean_iou import MeanIoU

ensure_torchvision()

from torchmetrics.classification import MulticlassJaccardIndex  # noqa: E402


def score(truth: list, predicted: list, classes: int = 3):
    measure = MeanIoU(classes)
    measure.add(np.array([truth], np.uint8), np.array([predicted], np.uint8))
    return measure.evaluate()


def test_closed_form() -> None:
    found = score([0, 0, 0, 1, 1, 255], [0, 0, 1, 1, 1, 2])
    assert found.per_class["IoU"][:2] == pytest.approx([100 * 2 / 3, 100 * 2 / 3])
    assert np.isnan(found.per_class["IoU"][2])  # predicted on void only
    assert found.overall["mIoU"] == pytest.approx(100 * 2 / 3)


def test_a_class_that_is_only_predicted_counts_as_0() -> None:
    found = score([0, 0], [0, 2])
    assert found.per_class["IoU"][2] == 0
    assert found.overall["mIoU"] == pytest.approx(25)


def test_the_truth_scores_100() -> None:
    assert score([0, 1, 2, 255], [0, 1, 2, 0]).overall["mIoU"] == 100


def test_images_add_up_as_one_big_image_and_torchmetrics_agrees() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, (6, 20, 30)).astype(np.uint8)
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 5, truth.shape)).astype(
        np.uint8
    )
    truth[rng.random(truth.shape) < 0.1] = 255
    measure = MeanIoU(5)
    for one, other in zip(truth, predicted, strict=True):
        measure.add(one, other)
    reference = MulticlassJaccardIndex(5, average="none", ignore_index=255)
    expected = 100 * reference(torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()).numpy()
    np.testing.assert_allclose(measure.evaluate().per_class["IoU"], expected, rtol=1e-6)


def test_only_void_is_undefined_with_a_reason() -> None:
    found = score([255, 255], [0, 1])
    assert np.isnan(found.overall["mIoU"])
    assert found.reasons == {"mIoU": "no labelled pixel"}


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="must agree"):
        MeanIoU(2).add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(LabelError, match="train id 7; expected 0 to 1"):
        MeanIoU(2).add(np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8))
