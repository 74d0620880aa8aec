"""The Cityscapes protocol in closed form; test_reference_scores.py holds it to the official script."""

from __future__ import annotations

import numpy as np
import pytest

from vfm_fusion.datasets.base import Category, Instances
from vfm_fusion.datasets.cityscapes import official_void
from vfm_fusion.errors import ShapeError
from vfm_fusion.evaluation.cityscapes_ap import CityscapesAP
from vfm_fusion.evaluation.evaluator import Scores, Truth
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.segmentation.prediction import PredictedInstances

CATEGORIES = (Category(0, "road", False, (0, 0, 0)), *(Category(k, f"c{k}", True, (0, 0, 0)) for k in (1, 2)))
SIZE = (100, 200)
Box = tuple[int, int, int, int]


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def truth(objects: list[tuple[int, Box]], crowd: list[int] | None = None, void: Box | None = None) -> Truth:
    ids = np.zeros(SIZE, np.int32)
    for number, (_, where) in enumerate(objects, start=1):
        ids[box(*where)] = number
    flags = np.zeros(len(objects), bool)
    flags[crowd or []] = True
    instances = Instances(ids, np.array([category for category, _ in objects], np.int64), flags)
    ignored = np.zeros(SIZE, bool) if void is None else box(*void)
    return Truth("a", np.where(ignored, 255, 0).astype(np.uint8), instances, ignored)


def score(labels: Truth, predicted: list[tuple[int, Box, float]]) -> Scores:
    masks = np.array([box(*where) for _, where, _ in predicted]).reshape(-1, *SIZE)
    objects = PredictedInstances(
        masks,
        np.array([category for category, _, _ in predicted], np.int64),
        np.array([confidence for _, _, confidence in predicted]),
    )
    measure = CityscapesAP(CATEGORIES, 0.005)
    measure.add(labels, encode_predictions(objects))
    return measure.evaluate()


A, B, ELSEWHERE = (0, 0, 20, 20), (40, 40, 30, 30), (60, 150, 30, 30)
"""Boxes (top, left, height, width)."""


def test_the_truth_scores_100() -> None:
    found = score(truth([(1, A), (2, B)]), [(1, A, 0.3), (2, B, 0.9)])
    assert found.overall == pytest.approx(dict.fromkeys(CityscapesAP.metrics, 100.0))
    assert np.isnan(found.per_class["AP"][0])
    assert found.per_class["boundary_AP"][1:] == pytest.approx([100, 100])


def test_a_match_needs_more_than_the_threshold() -> None:
    labels = truth([(1, (0, 0, 20, 20))])
    assert score(labels, [(1, (0, 0, 10, 20), 1.0)]).overall["AP"] == 0  # IoU .5 is not above .5
    assert score(labels, [(1, (0, 0, 11, 20), 1.0)]).overall["AP"] == pytest.approx(
        10
    )  # .55 is above .5 only
    assert score(labels, [(1, (0, 0, 13, 20), 1.0)]).overall["AP"] == pytest.approx(30)  # .65: .5, .55, .6


def test_the_curve_is_joined_by_straight_lines() -> None:
    """A false object before the right one: (recall, precision) runs (1, 1/2), (0, 0), (0, 1)."""
    found = score(truth([(1, A)]), [(1, ELSEWHERE, 0.9), (1, A, 0.8)])
    assert found.overall["AP50"] == pytest.approx(100 * (1 / 2 + 0) / 2)
    equal = score(truth([(1, A)]), [(1, ELSEWHERE, 0.9), (1, A, 0.9)])  # one point (1, 1/2), then (0, 1)
    assert equal.overall["AP50"] == pytest.approx(100 * (1 / 2 + 1) / 2)


def test_a_second_match_of_an_object_is_wrong_even_if_it_is_better() -> None:
    """The more confident one counts as right: (1, 1/2) from both, (1, 1) from the first, (0, 1)."""
    found = score(truth([(1, A)]), [(1, (0, 0, 20, 16), 0.9), (1, A, 0.5)])
    assert found.overall["AP50"] == pytest.approx(100)
    both = score(truth([(1, A), (1, B)]), [(1, (0, 0, 20, 16), 0.9), (1, A, 0.5), (1, B, 0.4)])
    # (1, 2/3), (1/2, 1/2), (1/2, 1), (0, 1)
    assert both.overall["AP50"] == pytest.approx(100 * (0.5 * (2 / 3 + 1 / 2) / 2 + 0.5))


@pytest.mark.parametrize("ignored", ["group", "small object", "void"])
def test_what_lies_on_an_ignored_region_does_not_count(ignored: str) -> None:
    objects = [(1, A)]
    where, options = ELSEWHERE, {}
    if ignored == "group":
        objects.append((1, ELSEWHERE))
        options = {"crowd": [1]}
    elif ignored == "small object":
        where = (60, 150, 9, 11)  # 99 pixels
        objects.append((1, where))
    else:
        options = {"void": ELSEWHERE}
    labels = truth(objects, **options)
    assert score(labels, [(1, A, 0.5), (1, where, 0.9)]).overall["AP"] == pytest.approx(100)
    assert score(labels, [(1, A, 0.5)]).overall["AP"] == pytest.approx(100)  # nor has it to be found
    other = score(labels, [(1, A, 0.5), (2, where, 0.9)])  # there is no object of class 2, so it has no AP
    assert other.overall["AP"] == pytest.approx(100)
    assert np.isnan(other.per_class["AP"][2])


def test_a_group_of_another_class_excuses_nothing() -> None:
    labels = truth([(1, A), (2, ELSEWHERE), (2, B)], crowd=[1])
    found = score(labels, [(1, A, 0.5), (1, ELSEWHERE, 0.9), (2, B, 0.9)])
    assert found.per_class["AP"][1:] == pytest.approx([25, 100])


def test_the_share_that_is_ignored_is_compared_with_the_threshold() -> None:
    """Of 30 x 30 pixels 21 rows are void: 70 % is more than .5 to .65, not more than .7 to .95."""
    labels = truth([(1, A)], void=(60, 150, 21, 30))
    found = score(labels, [(1, A, 0.5), (1, ELSEWHERE, 0.9)])
    assert found.overall["AP50"] == pytest.approx(100)
    assert found.overall["AP"] == pytest.approx((4 * 100 + 6 * 25) / 10)


def test_boundary_ap_holds_the_contour_against_the_mask() -> None:
    """A ring of one pixel is missing: mask IoU (28 / 30)^2 = .87, rims of one pixel do not meet."""
    labels = truth([(1, B)])
    found = score(labels, [(1, (41, 41, 28, 28), 0.9)])
    assert found.overall["AP"] == pytest.approx(80)
    assert found.overall["boundary_AP"] == 0


def test_where_nothing_is_annotated_or_predicted() -> None:
    assert score(truth([(1, A)]), []).overall == dict.fromkeys(CityscapesAP.metrics, 0.0)
    for labels in (truth([]), truth([(1, ELSEWHERE)], crowd=[0]), truth([(1, (0, 0, 9, 9))])):
        found = score(labels, [(1, A, 0.9)])
        assert all(np.isnan(value) for value in found.overall.values())
        assert set(found.reasons) == set(CityscapesAP.metrics)
        assert "100 pixels" in found.reasons["AP"]


def test_all_predictions_ignored_is_no_error() -> None:
    """The official script fails here (an empty curve)."""
    found = score(truth([(1, A)], void=ELSEWHERE), [(1, ELSEWHERE, 0.9)])
    assert found.overall["AP"] == 0


def test_annotated_caravans_are_not_void() -> None:
    semantic = np.array([[255, 255, 13, 255]], np.uint8)
    raster = np.array([[29001, 29, 26000, 0xFFFF]], np.int32)
    assert official_void(semantic, raster).tolist() == [[False, True, False, True]]


def test_a_mask_of_another_size_is_refused() -> None:
    labels = truth([(1, A)])
    other = PredictedInstances(np.ones((1, 5, 6), bool), np.array([1]), np.array([0.5]))
    with pytest.raises(ShapeError, match=r"image 'a': a predicted mask is \(5, 6\), the labels \(100, 200\)"):
        CityscapesAP(CATEGORIES, 0.005).add(labels, encode_predictions(other))
