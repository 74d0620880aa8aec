"""Predicting and evaluating hold a batch, however many images there are."""

from __future__ import annotations

import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
from evaluation_scenes import CATEGORIES

import vfm_fusion.evaluation.predict as predict_module
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.datasets.base import Instances
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment

SIZE = (512, 1024)
BATCH = 2


class Many:
    """Large images of two cars on a road, which counts how many of its arrays are alive."""

    categories = CATEGORIES

    def __init__(self, images: int) -> None:
        self.ids = tuple(f"{number:04}" for number in range(images))
        self.alive = self.most = 0

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> np.ndarray:
        return self._counted(np.full((*SIZE, 3), index % 256, np.uint8))

    def labels(self, index: int) -> tuple[np.ndarray, Instances]:
        ids = cars()
        semantic = np.where(ids > 0, 2, 0).astype(np.uint8)
        return self._counted(semantic), Instances(ids, np.array([2, 2]), np.zeros(2, bool))

    def ignored(self, index: int, semantic: np.ndarray) -> np.ndarray:
        return semantic == 255

    def _counted(self, array: np.ndarray) -> np.ndarray:
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(array, self._gone)
        return array

    def _gone(self) -> None:
        self.alive -= 1


def cars() -> np.ndarray:
    ids = np.zeros(SIZE, np.int32)
    ids[200:300, 100:300], ids[210:330, 500:800] = 1, 2
    return ids


def predicted(task: str) -> Prediction:
    ids = cars()
    objects = PredictedInstances(np.stack([ids == 1, ids == 2]), np.array([2, 2]), np.float32([0.9, 0.8]))
    semantic = np.where(ids > 0, 2, 0).astype(np.uint8)
    if task == "semantic":
        return Prediction(semantic, None, None, None)
    if task == "instance":
        return Prediction(None, objects, None, None)
    segments = (Segment(1, 2, True), Segment(2, 2, True), Segment(3, 0, False))
    return Prediction(semantic, objects, np.where(ids > 0, ids, 3).astype(np.int32), segments)


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_memory_does_not_grow_with_the_data_set(
    untrained, encoders, monkeypatch: pytest.MonkeyPatch, task: str, protocol: str
) -> None:
    monkeypatch.setattr(
        predict_module, "predict", lambda model, images, *_: [predicted(task) for _ in images]
    )
    folder = untrained(task)

    def predict(dataset: Many) -> Path:
        path = folder / "predictions.h5"
        predict_module.predict_run(
            run_dir=folder,
            predictions=path,
            dataset=dataset,
            encoders=encoders,
            inference=EvaluationConfig(batch_size=BATCH),
        )
        return path

    def peaks(images: int) -> tuple[int, int]:
        """The most bytes in Python and numpy, of predicting and of evaluating."""
        found = []
        dataset = Many(images)
        path = predict(dataset)
        for work in (
            lambda: predict(dataset),
            lambda: evaluate_run(predictions=path, dataset=dataset, dataset_name="many", protocol=protocol),
        ):
            dataset.most = 0
            tracemalloc.start()
            try:
                work()
                found.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert dataset.most <= BATCH + 1
            assert dataset.alive == 0
        return tuple(found)

    few, many = peaks(4), peaks(20)
    image = 3 * SIZE[0] * SIZE[1]
    assert all(more - less < 0.5 * image for less, more in zip(few, many, strict=True))
