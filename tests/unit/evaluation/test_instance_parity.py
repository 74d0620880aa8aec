"""AP of instance runs, from images to ``evaluation.json``, against pycocotools on the annotation files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import coco_files
import numpy as np
import pytest
from coco_sample import lay_out_as_coco_2017
from perturbed_scenes import generated_frames

import vfm_fusion.evaluation.predict as predict_module
from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset, Instances
from vfm_fusion.datasets.cityscapes import CATEGORIES as STREET
from vfm_fusion.datasets.readers.coco_instance import CATEGORIES
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.evaluation.evaluate import Evaluators
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools

AP = ("AP", "AP50", "AP75", "APs", "APm", "APl")


def nothing(size: tuple[int, ...]) -> PredictedInstances:
    return PredictedInstances(np.zeros((0, *size), bool), np.zeros(0, np.int64), np.zeros(0, np.float32))


def exact(truth: Instances) -> PredictedInstances:
    """Whole objects without crowds."""
    kept = [k for k in np.flatnonzero(~truth.crowd) if truth.mask(k).any()]
    if not kept:
        return nothing(truth.ids.shape)
    return PredictedInstances(
        np.stack([truth.mask(k) for k in kept]), truth.categories[kept], np.ones(len(kept), np.float32)
    )


def objects(dataset: Dataset) -> list[Instances]:
    return [dataset.labels(position)[1] for position in range(len(dataset))]


@pytest.fixture
def metrics(untrained, scored, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Scores given predictions as those of an instance run: stored, read back, matched."""

    def score(dataset: Dataset, predictions: Sequence[PredictedInstances], protocol: str = "coco") -> dict:
        remaining: Iterator[PredictedInstances] = iter(predictions)
        monkeypatch.setattr(
            predict_module,
            "predict",
            lambda model, images, *_: [Prediction(None, next(remaining), None, None) for _ in images],
        )
        folder = untrained("instance", categories=dataset.categories)
        return scored(folder, dataset, protocol)

    return score


def check_against_pycocotools(
    root: Path, dataset: Dataset, predictions: list[PredictedInstances], found: dict
) -> None:
    expected = coco_files.pycocotools(root, dataset.ids, predictions)
    ours = [np.nan if found["metrics"][name] is None else found["metrics"][name] for name in AP]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_perturbed_objects_score_as_with_pycocotools(tmp_path: Path, metrics, seed: int) -> None:
    dataset = coco_files.generated(tmp_path)
    rng = np.random.default_rng(seed)
    predictions = [coco_files.perturbed(truth, rng) for truth in objects(dataset)]
    found = metrics(dataset, predictions)
    assert 5 < found["metrics"]["AP"] < 80
    check_against_pycocotools(tmp_path, dataset, predictions, found)


@pytest.mark.realdata
def test_perturbed_objects_of_real_photos_score_as_with_pycocotools(
    tmp_path: Path, realdata: Path, metrics
) -> None:
    dataset = coco_files.opened(lay_out_as_coco_2017(realdata, tmp_path / "coco"))
    rng = np.random.default_rng(0)
    predictions = [coco_files.perturbed(truth, rng) for truth in objects(dataset)]
    found = metrics(dataset, predictions)
    assert 1 < found["metrics"]["AP"] < 80
    check_against_pycocotools(tmp_path / "coco", dataset, predictions, found)


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["coco", "cityscapes"])
def test_the_objects_of_real_photos_score_100(tmp_path: Path, realdata: Path, metrics, kind: str) -> None:
    if kind == "coco":
        dataset = coco_files.opened(lay_out_as_coco_2017(realdata, tmp_path / "coco"))
    else:
        config = FolderConfig(kind="cityscapes", root=str(realdata / "images/cityscapes"))
        dataset = open_dataset(config, Path(config.root), index_split(config, Path(config.root), "val").frame)
    found = metrics(dataset, [exact(truth) for truth in objects(dataset)], kind)
    assert all(found["metrics"][name] == pytest.approx(100) for name in ("AP", "AP50", "boundary_AP"))


def test_overlapping_objects_score_100_although_some_hide_others(tmp_path: Path, metrics) -> None:
    dataset = coco_files.generated(tmp_path)
    truths = objects(dataset)
    assert any(truth.covered is not None and truth.covered.any() for truth in truths)
    found = metrics(dataset, [exact(truth) for truth in truths])
    assert {name: found["metrics"][name] for name in AP} == pytest.approx(dict.fromkeys(AP, 100.0))
    classes = [row for row in found["per_class"] if row["AP"] is not None]
    assert [row["category"] for row in classes] == [category.name for category in CATEGORIES[:4]]
    assert all(row["AP"] == pytest.approx(100) for row in classes)


def test_nothing_predicted_scores_0(tmp_path: Path, metrics) -> None:
    dataset = coco_files.generated(tmp_path)
    found = metrics(dataset, [nothing((160, 200))] * len(dataset))
    assert found["metrics"]["AP"] == found["metrics"]["APs"] == 0


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
@pytest.mark.parametrize("images", [1, 2], ids=["no object", "only a crowd"])
def test_without_an_object_everything_is_undefined_for_that_reason(
    tmp_path: Path, metrics, images: int, protocol: str
) -> None:
    dataset = coco_files.generated(tmp_path, images)
    assert all(truth.crowd.all() for truth in objects(dataset))
    rng = np.random.default_rng(0)
    predictions = [coco_files.perturbed(truth, rng) for truth in objects(dataset)]
    found = metrics(dataset, predictions, protocol)
    assert not any(value is not None for value in found["metrics"].values())
    assert "no ground-truth object" in found["reasons"]["AP"]


def test_images_without_objects_count_their_false_alarms(tmp_path: Path, metrics) -> None:
    """One object is found; a surer one is invented on the image that has none: precision 1/2."""
    dataset = coco_files.generated(tmp_path, 3)
    truth = objects(dataset)[2]
    single = exact(truth)
    category = single.categories[0]
    alone = np.flatnonzero(truth.categories == category)
    false_alarm = PredictedInstances(single.masks[:1], single.categories[:1], np.ones(1, np.float32))
    right = PredictedInstances(
        np.stack([truth.mask(k) for k in alone if not truth.crowd[k]]),
        truth.categories[[k for k in alone if not truth.crowd[k]]],
        np.full(sum(~truth.crowd[alone]), 0.5, np.float32),
    )
    found = metrics(dataset, [false_alarm, nothing((160, 200)), right])
    row = next(row for row in found["per_class"] if row["category"] == CATEGORIES[category].name)
    count = len(right.scores)
    assert row["AP50"] == pytest.approx(100 * count / (count + 1))


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_a_panoptic_and_an_instance_run_are_scored_alike(protocol: str) -> None:
    scores = {}
    frames = generated_frames(3, 7)
    for task in ("panoptic", "instance"):
        evaluators = Evaluators(STREET, task, protocol)
        for frame in frames:
            stored = frame.predicted()
            alone = StoredPrediction(None, None, None, stored.instances)
            evaluators.process(frame.truth(), stored if task == "panoptic" else alone)
        found = {name: value for part in evaluators.evaluate() for name, value in part.overall.items()}
        scores[task] = {name: found[name] for name in found if "AP" in name}
    assert scores["instance"] == pytest.approx(scores["panoptic"], nan_ok=True)
    assert 1 < scores["instance"]["AP"] < 90
