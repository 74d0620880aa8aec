"""Panoptic quality against torchmetrics, and panopticapi's rules for void and crowds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.errors import ShapeError
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality

ensure_torchvision()

from torchmetrics.detection import PanopticQuality as Reference  # noqa: E402

CLASSES = 4
THINGS, STUFF = {2, 3}, {0, 1}


def panoptic(ids: np.ndarray, categories: list[int], crowd: list[int] | None = None) -> PanopticMap:
    flags = np.zeros(len(categories), bool)
    flags[[k - 1 for k in crowd or []]] = True
    return PanopticMap(np.asarray(ids), np.array(categories, np.int64), flags)


def row(*lengths: int) -> np.ndarray:
    """Ids 0, 1, 2, ... in runs of the given lengths, as an image of one row."""
    return np.repeat(np.arange(len(lengths)), lengths)[None]


def score(truth: PanopticMap, predicted: PanopticMap):
    measure = PanopticQuality(CLASSES, ())
    measure.add(truth, predicted)
    return measure.evaluate()


def random_map(rng: np.random.Generator, base: PanopticMap | None = None) -> PanopticMap:
    """Blocks of random classes, or a perturbed ``base``; at most one segment per stuff class."""
    size = (40, 60)
    if base is None:
        ids = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((14, 15), int))[: size[0], : size[1]]
        categories = rng.integers(0, CLASSES, 12)
    else:
        ids = np.roll(base.ids, rng.integers(-4, 5, 2), axis=(0, 1))
        categories = np.where(rng.random(len(base.categories)) < 0.8, base.categories, 2)
    merged = np.zeros(size, int)
    kept: list[int] = []
    for number, category in enumerate(categories.tolist(), start=1):
        if category in STUFF and category in kept:
            merged[ids == number] = kept.index(category) + 1
        else:
            kept.append(category)
            merged[ids == number] = len(kept)
    return panoptic(merged, kept)


def as_torchmetrics(segmentation: PanopticMap) -> torch.Tensor:
    categories = np.concatenate([[99], segmentation.categories])[segmentation.ids]
    return torch.from_numpy(np.stack([categories, segmentation.ids], axis=-1))[None]


@pytest.mark.parametrize("seed", range(4))
def test_random_segmentations_score_as_in_torchmetrics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    measure = PanopticQuality(CLASSES, ())
    reference = Reference(
        THINGS, STUFF, allow_unknown_preds_category=True, return_sq_and_rq=True, return_per_class=True
    )
    for _ in range(4):
        truth = random_map(rng)
        predicted = random_map(rng, truth)
        truth.ids[rng.random(truth.ids.shape) < 0.05] = 0
        measure.add(truth, predicted)
        reference.update(as_torchmetrics(predicted), as_torchmetrics(truth))
    found = measure.evaluate()
    expected = 100 * reference.compute().numpy()  # (K, 3), things before stuff
    order = [*sorted(THINGS), *sorted(STUFF)]
    for position, metric in enumerate(PanopticQuality.metrics):
        np.testing.assert_allclose(found.per_class[metric][order], expected[:, position], rtol=1e-5)
        assert found.overall[metric] == pytest.approx(expected[:, position].mean(), rel=1e-5)
    assert 1 < found.overall["PQ"] < 99


def test_the_truth_scores_100() -> None:
    truth = random_map(np.random.default_rng(0))
    found = score(truth, truth)
    assert found.overall == pytest.approx(dict.fromkeys(PanopticQuality.metrics, 100.0))


def test_closed_form() -> None:
    truth = panoptic(row(0, 8, 8), [2, 2])
    predicted = panoptic(row(2, 6, 3, 5), [2, 2, 3])  # IoU .75; .375; another class
    found = score(truth, predicted)
    assert found.per_class["SQ"][2] == pytest.approx(75)
    assert found.per_class["RQ"][2] == pytest.approx(100 * 1 / (1 + 0.5 + 0.5))
    assert found.per_class["PQ"][2] == pytest.approx(37.5)
    assert found.per_class["PQ"][3] == 0
    assert found.overall["PQ"] == pytest.approx(37.5 / 2)


def test_an_iou_of_exactly_a_half_is_no_match() -> None:
    assert score(panoptic(row(0, 8), [2]), panoptic(row(4, 4), [2])).overall["PQ"] == 0


def test_void_pixels_leave_the_union() -> None:
    found = score(panoptic(row(6, 6), [2]), panoptic(row(3, 9), [2]))
    assert found.overall["PQ"] == pytest.approx(100)


@pytest.mark.parametrize(("on_void", "counted"), [(5, False), (4, True)])
def test_a_prediction_mostly_on_void_is_ignored(on_void: int, counted: bool) -> None:
    truth = panoptic(row(on_void, 8 - on_void + 20), [0])
    predicted_ids = row(0, 8, 20)
    found = score(truth, panoptic(predicted_ids, [2, 0]))
    assert np.isnan(found.per_class["PQ"][2]) != counted


@pytest.mark.parametrize(("category", "counted"), [(2, False), (3, True)])
def test_a_crowd_is_never_missed_and_hides_predictions_of_its_class(category: int, counted: bool) -> None:
    truth = panoptic(row(0, 10, 10), [2, 0], crowd=[1])
    found = score(truth, panoptic(row(0, 6, 4, 10), [category, category, 0]))
    assert np.isnan(found.per_class["PQ"][2])
    assert np.isnan(found.per_class["PQ"][3]) != counted
    assert found.per_class["PQ"][0] == pytest.approx(100)


def test_every_crowd_of_a_class_hides_predictions_where_panopticapi_keeps_the_last() -> None:
    """A right object, and a prediction on the first of two crowds: PQ 100; in panopticapi 66.67."""
    predicted = panoptic(np.array([[1] * 10 + [2] * 6 + [0] * 14]), [2, 2])
    ids = row(0, 10, 10, 10)
    assert score(panoptic(ids, [2, 2, 2], crowd=[2, 3]), predicted).overall["PQ"] == pytest.approx(100)
    last_crowd_only = panoptic(ids, [2, 3, 2], crowd=[2, 3])  # the first crowd hides nothing of class 2
    assert score(last_crowd_only, predicted).overall["PQ"] == pytest.approx(200 / 3)


def test_no_prediction_scores_0() -> None:
    found = score(panoptic(row(0, 5, 5), [2, 0]), panoptic(row(10), []))
    assert found.overall == {"PQ": 0, "SQ": 0, "RQ": 0}


def test_nothing_at_all_is_undefined_with_a_reason() -> None:
    found = score(panoptic(row(10), []), panoptic(row(10), []))
    assert np.isnan(found.overall["PQ"])
    assert set(found.reasons) == set(PanopticQuality.metrics)


def test_maps_of_different_sizes_are_refused() -> None:
    with pytest.raises(ShapeError):
        score(panoptic(row(0, 5), [2]), panoptic(row(0, 6), [2]))
