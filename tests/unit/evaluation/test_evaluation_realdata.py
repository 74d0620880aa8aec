"""The measures on real labels: the truth scores 100, perturbed COCO labels as the field's tools say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Category, Dataset, Instances
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.evaluation.evaluate import Evaluators
from vfm_fusion.evaluation.evaluator import Truth, read_truth
from vfm_fusion.evaluation.panoptic_quality import true_panoptic
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.segmentation.prediction import PredictedInstances

pytestmark = pytest.mark.realdata

SHIFTED = {
    "PQ": 57.74278478653184,
    "SQ": 64.20026998049267,
    "RQ": 77.66608391608392,
    "AP": 14.489815807015327,
    "AP50": 47.27597051203096,
    "AP75": 0.0,
    "APs": 0.26402640264026403,
    "APm": 23.383625062570898,
    "boundary_AP": 12.29250321861363,
}
_SEGMENT = np.dtype([("id", "<i4"), ("category", "<i4"), ("isthing", "?")])


def exact(truth: Truth, categories: tuple[Category, ...]) -> StoredPrediction:
    """Predicts the truth, crowds left out, void filled with class 0."""
    things = [category.id for category in categories if category.isthing]
    panoptic = true_panoptic(truth, things)
    whole = np.flatnonzero(~truth.instances.crowd)
    objects = PredictedInstances(
        np.stack([truth.instances.ids == k + 1 for k in whole]),
        truth.instances.categories[whole],
        np.ones(len(whole), np.float32),
    )
    rows = [(number, category, category in things) for number, category in enumerate(panoptic.categories, 1)]
    semantic = np.where(truth.semantic == 255, 0, truth.semantic).astype(np.uint8)
    return StoredPrediction(
        semantic, panoptic.ids.astype(np.int32), np.array(rows, _SEGMENT), encode_predictions(objects)
    )


def scores(pairs: list[tuple[Truth, StoredPrediction]], categories, protocol: str) -> dict[str, float]:
    evaluators = Evaluators(categories, "panoptic", protocol)
    for truth, predicted in pairs:
        evaluators.process(truth, predicted)
    return {name: value for part in evaluators.evaluate() for name, value in part.overall.items()}


def cityscapes(realdata: Path) -> Dataset:
    config = FolderConfig(kind="cityscapes", root=str(realdata / "images" / "cityscapes"))
    root = Path(config.root)
    return open_dataset(config, root, index_split(config, root, "val").frame)


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_the_truth_of_a_real_frame_scores_100(realdata: Path, protocol: str) -> None:
    dataset = cityscapes(realdata)
    truth = read_truth(dataset, dataset.ids[0])
    assert len(truth.instances) > 5
    found = scores([(truth, exact(truth, dataset.categories))], dataset.categories, protocol)
    names = ("AP", "AP50", "boundary_AP", "mIoU", "boundary_mIoU", "PQ", "SQ", "RQ")
    assert {name: found[name] for name in names} == pytest.approx(dict.fromkeys(names, 100.0))


@pytest.fixture(scope="module")
def coco(realdata: Path) -> tuple[list[Truth], tuple[Category, ...]]:
    """The two images of panopticapi's sample, with contiguous class ids."""
    folder = realdata / "images" / "coco_panoptic_sample"
    content = json.loads((folder / "panoptic_examples.json").read_text(encoding="utf-8"))
    categories = tuple(
        Category(k, entry["name"], bool(entry["isthing"]), tuple(entry["color"]))
        for k, entry in enumerate(content["categories"])
    )
    train_ids = {entry["id"]: k for k, entry in enumerate(content["categories"])}
    truths = []
    for annotation in content["annotations"]:
        with Image.open(folder / "panoptic_examples" / annotation["file_name"]) as file:
            pixels = np.asarray(file.convert("RGB")).astype(np.int64)
        raster = pixels @ (1, 256, 65536)
        semantic, ids = np.full(raster.shape, 255, np.uint8), np.zeros(raster.shape, np.int32)
        kept, crowd = [], []
        for segment in annotation["segments_info"]:
            category, where = train_ids[segment["category_id"]], raster == segment["id"]
            semantic[where] = category
            if categories[category].isthing:
                kept.append(category)
                crowd.append(bool(segment["iscrowd"]))
                ids[where] = len(kept)
        instances = Instances(ids, np.array(kept, np.int64), np.array(crowd))
        truths.append(Truth(annotation["file_name"], semantic, instances, semantic == 255))
    return truths, categories


def test_the_truth_of_the_coco_sample_scores_100(coco) -> None:
    truths, categories = coco
    found = scores([(truth, exact(truth, categories)) for truth in truths], categories, "coco")
    assert np.isnan(found.pop("APl"))  # no object is as large
    assert found == pytest.approx(dict.fromkeys(found, 100.0))


def shifted(truth: Truth, categories: tuple[Category, ...]) -> StoredPrediction:
    """The truth moved by 3 x 5 pixels, crowds included, with falling confidences."""
    predicted = exact(truth, categories)
    semantic, panoptic = (
        np.roll(labels, (3, 5), (0, 1)) for labels in (predicted.semantic, predicted.panoptic)
    )
    masks = np.stack([np.roll(truth.instances.mask(k), (3, 5), (0, 1)) for k in range(len(truth.instances))])
    confidences = np.linspace(0.9, 0.1, len(masks))
    objects = PredictedInstances(masks, truth.instances.categories, confidences)
    return StoredPrediction(semantic, panoptic, predicted.segments, encode_predictions(objects))


def test_a_shifted_coco_sample_scores_as_with_the_fields_tools(coco) -> None:
    """PQ, SQ and RQ are panopticapi's, Boundary AP that of boundary-iou-api, AP that of pycocotools."""
    truths, categories = coco
    found = scores([(truth, shifted(truth, categories)) for truth in truths], categories, "coco")
    assert {name: found[name] for name in SHIFTED} == pytest.approx(SHIFTED, rel=0, abs=1e-6)
