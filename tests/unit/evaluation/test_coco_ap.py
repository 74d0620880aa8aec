"""COCO's average precision against pycocotools, and where it is undefined."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vfm_fusion.datasets.base import Category, Instances
from vfm_fusion.datasets.readers.coco_instance import lay_over
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.evaluator import Truth
from vfm_fusion.evaluation.rle import EncodedInstances, encode_mask, encode_predictions, encode_truth
from vfm_fusion.segmentation.prediction import PredictedInstances

CATEGORIES = tuple(Category(k, f"c{k}", k > 0, (0, 0, 0)) for k in range(4))
SIZE = (160, 200)


def scene(rng: np.random.Generator, objects: int = 9) -> Instances:
    ids = np.zeros(SIZE, np.int32)
    for number in range(1, objects + 1):
        side = rng.integers(6, 120)
        top, left = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        ids[top : top + side, left : left + side] = number
    ids[:100, :110] = objects  # one large object in full view
    crowd = rng.random(objects) < 0.15
    crowd[-1] = False
    categories = rng.integers(1, 3, objects)
    seen, places = np.unique(ids, return_inverse=True)  # a raster has no hidden objects; seen[0] is 0
    return Instances(places.reshape(SIZE).astype(np.int32), categories[seen[1:] - 1], crowd[seen[1:] - 1])


def perturbed(truth: Instances, rng: np.random.Generator) -> PredictedInstances:
    """Shifted, dropped, mislabelled and invented objects with random confidences."""
    masks, categories = [], []
    for number, category in enumerate(truth.categories, start=1):
        mask = truth.ids == number
        for _ in range(rng.integers(0, 3)):
            moved = np.roll(mask, rng.integers(-4, 5, 2), axis=(0, 1))
            if moved.any():
                masks.append(moved)
                categories.append(category if rng.random() < 0.8 else rng.integers(1, 4))
    invented = np.zeros(SIZE, bool)
    invented[:20, :30] = True
    masks.append(invented)
    categories.append(2)
    return PredictedInstances(
        np.stack(masks), np.array(categories), rng.random(len(masks)).astype(np.float32)
    )


def exact(truth: Instances) -> PredictedInstances:
    visible = [k for k in range(1, len(truth) + 1) if (truth.ids == k).any() and not truth.crowd[k - 1]]
    masks = np.stack([truth.ids == k for k in visible])
    return PredictedInstances(
        masks, truth.categories[np.array(visible) - 1], np.full(len(visible), 0.5, np.float32)
    )


def none() -> PredictedInstances:
    return PredictedInstances(np.zeros((0, *SIZE), bool), np.zeros(0, np.int64), np.zeros(0, np.float32))


def measured(scenes: list[tuple[Instances, PredictedInstances]]) -> CocoAP:
    measure = CocoAP(CATEGORIES, 0.02)
    for truth, predicted in scenes:
        labels = Truth("a", np.zeros(SIZE, np.uint8), truth, np.zeros(SIZE, bool))
        measure.add(labels, encode_predictions(predicted))
    return measure


def pycocotools(scenes: list[tuple[Instances, PredictedInstances]]) -> COCOeval:
    def annotations(encoded: EncodedInstances, image: int, first: int) -> list[dict]:
        return [
            {
                "id": first + k,
                "image_id": image,
                "category_id": int(encoded.categories[k]),
                "segmentation": encoded.rles[k],
                "area": float(encoded.areas[k]),
                "bbox": [0, 0, 1, 1],
                "iscrowd": int(encoded.crowd[k]),
                "score": float(encoded.scores[k]),
            }
            for k in range(len(encoded.rles))
        ]

    def coco(parts: list[EncodedInstances]) -> COCO:
        data = COCO()
        data.dataset = {
            "images": [{"id": k, "height": SIZE[0], "width": SIZE[1]} for k in range(1, len(parts) + 1)],
            "categories": [{"id": c.id, "name": c.name} for c in CATEGORIES if c.isthing],
            "annotations": [a for k, part in enumerate(parts, 1) for a in annotations(part, k, 1000 * k)],
        }
        data.createIndex()
        return data

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            coco([encode_truth(t) for t, _ in scenes]),
            coco([encode_predictions(p) for _, p in scenes]),
            "segm",
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def test_ground_truth_as_prediction_scores_100() -> None:
    rng = np.random.default_rng(0)
    truths = [scene(rng) for _ in range(4)]
    found = measured([(truth, exact(truth)) for truth in truths]).evaluate()
    assert found.overall == pytest.approx(dict.fromkeys(CocoAP.metrics, 100.0))
    assert found.per_class["AP"][1:3] == pytest.approx([100, 100])
    assert np.isnan(found.per_class["AP"][[0, 3]]).all()
    assert found.reasons == {}


@pytest.mark.parametrize("seed", range(4))
def test_perturbed_predictions_score_as_in_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenes = [(truth, perturbed(truth, rng)) for truth in (scene(rng) for _ in range(6))]
    found = measured(scenes).evaluate()
    reference = pycocotools(scenes)
    assert 1 < found.overall["AP"] < 99
    np.testing.assert_allclose(
        [found.overall[name] for name in CocoAP.metrics[:6]], 100 * reference.stats[:6], rtol=0, atol=1e-9
    )
    assert 0 < found.overall["boundary_AP"] < found.overall["AP"]
    precision = reference.eval["precision"][:, :, :2, 0, -1]  # classes 1 and 2 have ground truth
    np.testing.assert_allclose(found.per_class["AP"][1:3], 100 * precision.mean(axis=(0, 1)), atol=1e-9)
    np.testing.assert_allclose(found.per_class["AP50"][1:3], 100 * precision[0].mean(axis=0), atol=1e-9)


def test_more_than_100_predictions_of_a_class_score_as_in_pycocotools() -> None:
    """The least confident ones are cut off, image by image and class by class."""
    rng = np.random.default_rng(5)
    truth = scene(rng)
    many = [perturbed(truth, rng) for _ in range(45)]
    predicted = PredictedInstances(
        np.concatenate([part.masks for part in many]),
        np.concatenate([part.categories for part in many]),
        np.concatenate([part.scores for part in many]),
    )
    assert np.bincount(predicted.categories)[1:3].max() > 130
    found = measured([(truth, predicted)]).evaluate()
    expected = 100 * pycocotools([(truth, predicted)]).stats[:6]
    expected[expected < 0] = np.nan
    first = [found.overall[name] for name in CocoAP.metrics[:6]]
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-9)


def test_no_prediction_scores_0() -> None:
    rng = np.random.default_rng(0)
    found = measured([(scene(rng), none())]).evaluate()
    assert found.overall["AP"] == 0
    assert np.nanmax(found.per_class["AP"]) == 0


def test_no_ground_truth_is_undefined_with_a_reason() -> None:
    nothing = Instances(np.zeros(SIZE, np.int32), np.zeros(0, np.int64), np.zeros(0, bool))
    rng = np.random.default_rng(0)
    for predicted in (none(), perturbed(scene(rng), rng)):
        found = measured([(nothing, predicted)]).evaluate()
        assert all(np.isnan(value) for value in found.overall.values())
        assert set(found.reasons) == set(CocoAP.metrics)
        assert found.reasons["AP"] == "no ground-truth object"
        assert np.isnan(found.per_class["AP"]).all()


def test_only_crowds_are_no_ground_truth() -> None:
    ids = np.zeros(SIZE, np.int32)
    ids[:50, :50] = 1
    crowd = Instances(ids, np.array([1]), np.array([True]))
    assert np.isnan(measured([(crowd, none())]).evaluate().overall["AP"])


def test_a_missing_size_says_which() -> None:
    ids = np.zeros(SIZE, np.int32)
    ids[:20, :20] = 1
    small = Instances(ids, np.array([1]), np.array([False]))
    found = measured([(small, exact(small))]).evaluate()
    assert found.overall["APs"] == pytest.approx(100)
    assert set(found.reasons) == {"APm", "APl"}
    assert "96 x 96 pixels or more" in found.reasons["APl"]


def test_objects_without_a_pixel_stay_in_the_truth() -> None:
    ids = np.zeros(SIZE, np.int32)
    ids[:20, :20] = 3
    encoded = encode_truth(Instances(ids, np.array([1, 2, 1]), np.array([False, True, False])))
    assert encoded.categories.tolist() == [1, 2, 1]
    assert encoded.crowd.tolist() == [False, True, False]
    assert encoded.areas.tolist() == [0, 0, 400]
    assert encoded.rles == [encode_mask(ids == number) for number in (1, 2, 3)]


def test_the_truth_of_a_covered_object_is_its_whole_mask() -> None:
    masks = np.zeros((3, *SIZE), bool)
    masks[0, 10:30, 10:30], masks[1, 5:60, 20:90], masks[2, 12:20, 12:20] = True, True, True
    ids, covered = lay_over(((k + 1, mask) for k, mask in enumerate(masks)), SIZE)
    truth = Instances(ids, np.array([1, 2, 1]), np.zeros(3, bool), covered)
    encoded = encode_truth(truth)
    assert encoded.rles == [encode_mask(mask) for mask in masks]
    assert encoded.areas.tolist() == masks.sum(axis=(1, 2)).tolist()
    whole = PredictedInstances(masks, truth.categories, np.full(3, 0.5, np.float32))
    assert measured([(truth, whole)]).evaluate().overall["AP"] == pytest.approx(100)
