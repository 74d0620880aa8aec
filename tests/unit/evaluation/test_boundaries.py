"""Boundary regions and Boundary IoU against plain transcriptions, and in closed form."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vfm_fusion.errors import LabelError, ShapeError
from vfm_fusion.evaluation.boundary import BoundaryIoU, boundary_width, map_boundary, mask_boundary


def eroded_step_by_step(mask: np.ndarray, width: int) -> np.ndarray:
    """A mask without its boundary: ``width`` erosions by 3 x 3, and nothing outside the image."""
    kept = np.pad(mask > 0, 1)
    for _ in range(width):
        height, columns = kept.shape
        grown = np.pad(kept, 1)
        kept = np.all([grown[i : i + height, j : j + columns] for i in range(3) for j in range(3)], axis=0)
        kept[[0, -1]] = kept[:, [0, -1]] = False
    return kept[1:-1, 1:-1]


def blobs(rng: np.random.Generator, size: tuple[int, int], classes: int) -> np.ndarray:
    small = rng.integers(0, classes, (7, 9)).astype(np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST)


def test_the_width_is_a_share_of_the_diagonal() -> None:
    assert boundary_width((1024, 2048), 0.005) == 11
    assert boundary_width((480, 640), 0.02) == 16
    assert boundary_width((10, 10), 0.005) == 1


@pytest.mark.parametrize("width", [1, 3, 8])
def test_boundaries_are_what_erosion_takes_away(width: int) -> None:
    rng = np.random.default_rng(width)
    labels = blobs(rng, (60, 90), 4)
    found = map_boundary(labels, width)
    for category in range(4):
        mask = (labels == category).astype(np.uint8)
        expected = (mask > 0) & ~eroded_step_by_step(mask, width)
        np.testing.assert_array_equal(mask_boundary(mask, width) > 0, expected)
        np.testing.assert_array_equal(found & (mask > 0), expected)


def test_a_mask_cut_out_by_its_box_has_the_same_boundary() -> None:
    mask = np.zeros((60, 90), np.uint8)
    cv2.ellipse(mask, (70, 40), (30, 15), 20, 0, 360, 1, -1)
    left, top, width, height = cv2.boundingRect(mask)
    window = slice(top, top + height), slice(left, left + width)
    np.testing.assert_array_equal(mask_boundary(mask[window].copy(), 4), mask_boundary(mask, 4)[window])


def measured(truth: np.ndarray, predicted: np.ndarray, classes: int, ratio: float = 0.02):
    measure = BoundaryIoU(classes, ratio)
    measure.add(truth, predicted)
    return measure.evaluate()


def test_perturbed_maps_score_as_class_by_class_erosion_does() -> None:
    rng = np.random.default_rng(0)
    measure = BoundaryIoU(4, 0.02)
    shared, union = np.zeros((2, 4))
    for _ in range(3):
        truth = blobs(rng, (60, 90), 4)
        predicted = np.roll(truth, rng.integers(-4, 5, 2), (0, 1))
        truth[10:20, 15:40] = 255
        measure.add(truth, predicted)
        for category in range(4):
            masks = [(labels == category) & (truth != 255) for labels in (truth, predicted)]
            regions = [mask & ~eroded_step_by_step(mask, boundary_width((60, 90), 0.02)) for mask in masks]
            shared[category] += (regions[0] & regions[1]).sum()
            union[category] += (regions[0] | regions[1]).sum()
    found = measure.evaluate()
    np.testing.assert_allclose(found.per_class["boundary_IoU"], 100 * shared / union, rtol=1e-12)
    assert found.overall["boundary_mIoU"] == pytest.approx((100 * shared / union).mean())
    assert 20 < found.overall["boundary_mIoU"] < 90


def test_closed_form() -> None:
    """A square of 20 x 20 predicted one pixel to the right: of rims of 76 pixels 19 + 19 are shared."""
    truth, predicted = np.zeros((2, 40, 40), np.uint8)
    truth[10:30, 10:30] = predicted[10:30, 11:31] = 1
    found = measured(truth, predicted, 2, 0.01)
    assert found.per_class["boundary_IoU"][1] == pytest.approx(100 * 38 / (2 * 76 - 38))


def test_the_truth_scores_100_whatever_is_predicted_on_void() -> None:
    rng = np.random.default_rng(1)
    predicted = blobs(rng, (60, 90), 3)
    truth = predicted.copy()
    truth[:15] = truth[30:40, 20:50] = 255
    found = measured(truth, predicted, 4)
    assert found.overall["boundary_mIoU"] == pytest.approx(100)
    assert np.isnan(found.per_class["boundary_IoU"][3])


def test_only_void_is_undefined_with_a_reason() -> None:
    found = measured(np.full((9, 9), 255, np.uint8), np.zeros((9, 9), np.uint8), 2)
    assert np.isnan(found.overall["boundary_mIoU"])
    assert found.reasons == {"boundary_mIoU": "no labelled pixel"}


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(ShapeError, match="must agree"):
        measured(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
    with pytest.raises(LabelError, match="train id 7"):
        measured(np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8), 2)
