"""Annotated objects that draw no pixel, from COCO's JSON to the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coco_files
import numpy as np
import pytest

from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.readers.coco_instance import CATEGORIES
from vfm_fusion.evaluation.cityscapes_ap import CityscapesAP
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, read_truth
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality, true_panoptic
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.segmentation.prediction import PredictedInstances

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools

PERSON = 0
SQUARE = [[5, 5, 25, 5, 25, 25, 5, 25]]
THIN = [[45.81, 31.12, 46.26, 31.12, 46.26, 35.92, 45.81, 35.92]]
OUTSIDE = [[70, 45, 80, 45, 80, 50, 70, 50]]
EMPTY = {"size": [40, 60], "counts": [2400]}
AP = ("AP", "AP50", "AP75", "APs", "APm", "APl")


def two_persons(root: Path, second: Any, area: float) -> tuple[Dataset, PredictedInstances]:
    """An image of 40 x 60 with a square and a second person, of which the square is predicted."""
    dataset = coco_files.written(root, (40, 60), [(SQUARE, 400.0), (second, area)])
    square = dataset.labels(0)[1].mask(0)
    return dataset, PredictedInstances(square[None], np.array([PERSON]), np.array([0.9], np.float32))


def scored(evaluator: Evaluator, dataset: Dataset, found: PredictedInstances) -> Scores:
    prediction = StoredPrediction(None, None, None, encode_predictions(found))
    evaluator.process(read_truth(dataset, dataset.ids[0]), prediction)
    return evaluator.evaluate()


@pytest.mark.parametrize("area", [0.0, 2.16, 2500.0, 10000.0])
@pytest.mark.parametrize("second", [THIN, OUTSIDE, EMPTY], ids=["thin", "outside", "empty"])
def test_it_is_missed_as_by_pycocotools(tmp_path: Path, second: Any, area: float) -> None:
    dataset, found = two_persons(tmp_path, second, area)
    scores = scored(CocoAP(CATEGORIES, 0.02), dataset, found).overall
    assert scores["AP"] == scores["boundary_AP"] == pytest.approx(50.495, abs=1e-3)  # 51 of 101 recalls
    expected = coco_files.pycocotools(tmp_path, dataset.ids, [found])
    np.testing.assert_allclose([scores[name] for name in AP], expected, rtol=0, atol=1e-9)


def test_alone_it_is_ground_truth_that_nothing_finds(tmp_path: Path) -> None:
    dataset = coco_files.written(tmp_path, (40, 60), [(THIN, 2.16)])
    whole = PredictedInstances(np.ones((1, 40, 60), bool), np.array([PERSON]), np.ones(1, np.float32))
    assert scored(CocoAP(CATEGORIES, 0.02), dataset, whole).overall["AP"] == 0
    assert coco_files.pycocotools(tmp_path, dataset.ids, [whole])[0] == 0


def test_evaluators_of_pixels_ignore_it(tmp_path: Path) -> None:
    """Cityscapes' protocol ignores objects below 100 pixels; PQ is of a map, which does not have it."""
    dataset, found = two_persons(tmp_path, THIN, 2.16)
    assert scored(CityscapesAP(CATEGORIES, 0.005), dataset, found).overall["AP"] == pytest.approx(100)
    quality = PanopticQuality(len(CATEGORIES), {PERSON})
    truth = true_panoptic(read_truth(dataset, dataset.ids[0]), {PERSON})
    quality.add(truth, PanopticMap(found.masks[0].astype(int), np.array([PERSON]), np.array([False])))
    assert quality.evaluate().overall["PQ"] == pytest.approx(100)
