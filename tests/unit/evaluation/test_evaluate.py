"""Prediction and evaluation of a run, end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest
from evaluation_scenes import CATEGORIES, Scenes

import vfm_fusion.evaluation.predict as predict
from vfm_fusion.config.registries import READERS
from vfm_fusion.datasets.base import Category
from vfm_fusion.datasets.kinds import reader
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.evaluator import read_truth
from vfm_fusion.evaluation.panoptic_quality import true_panoptic
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment

OTHERS = ("mIoU", "boundary_mIoU", "PQ", "SQ", "RQ")
METRICS = {
    "coco": ("AP", "AP50", "AP75", "APs", "APm", "APl", "boundary_AP", *OTHERS),
    "cityscapes": ("AP", "AP50", "boundary_AP", *OTHERS),
}


def truth_as_prediction(index: int) -> Prediction:
    truth = read_truth(Scenes(), Scenes.ids[index])
    panoptic = true_panoptic(truth, [2])
    masks = np.stack([truth.instances.ids == k for k in (1, 2)])
    return Prediction(
        np.where(truth.semantic == 255, 0, truth.semantic).astype(np.uint8),
        PredictedInstances(masks, np.array([2, 2]), np.array([0.9, 0.8], np.float32)),
        panoptic.ids.astype(np.int32),
        tuple(Segment(k, int(c), c == 2) for k, c in enumerate(panoptic.categories, start=1)),
    )


def test_the_result_has_the_agreed_form_and_is_written(untrained, scored) -> None:
    folder = untrained()
    found = scored(folder, object_score=0.0)
    assert found == json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    head = {key: found[key] for key in ("run", "seed", "dataset", "task", "images", "strides", "operator")}
    assert head == {
        "run": "fused",
        "seed": 5,
        "dataset": "scenes",
        "task": "panoptic",
        "images": 3,
        "strides": [8],
        "operator": "replace",
    }
    assert found["master"] == {"encoder": "vit", "trainable": True, "pretraining": "untrained (seed 1)"}
    assert found["auxiliary"] == {
        "encoder": "hiera",
        "trainable": False,
        "pretraining": "untrained (seed 1)",
    }
    assert set(found["metrics"]) == set(METRICS["coco"])
    assert set(found["reasons"]) == {name for name, value in found["metrics"].items() if value is None}
    assert [set(row) for row in found["per_class"]] == [
        {"category", "isthing", "AP", "AP50", "boundary_AP", "IoU", "boundary_IoU", "PQ"}
    ] * 3
    assert found["parameters"]["total"] > found["parameters"]["trainable"] > 0


def test_a_run_without_auxiliary_says_so(untrained, scored) -> None:
    found = scored(untrained(auxiliary=None))
    assert found["auxiliary"] is found["operator"] is None
    assert found["strides"] == []


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_the_truth_as_prediction_scores_100_throughout(
    untrained, scored, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    truths = iter([truth_as_prediction(index) for index in range(3)])
    monkeypatch.setattr(predict, "predict", lambda model, images, *_: [next(truths) for _ in images])
    found = scored(untrained(), protocol=protocol)
    undefined = {"APm", "APl"} if protocol == "coco" else set()
    assert found["instance_protocol"] == protocol
    assert found["boundary_ratio"] == {"coco": 0.02, "cityscapes": 0.005}[protocol]
    assert found["metrics"] == pytest.approx(
        {name: None if name in undefined else 100 for name in METRICS[protocol]}
    )
    assert set(found["reasons"]) == undefined


@pytest.mark.parametrize("case", ["semantic task", "no instance labels"])
def test_without_instances_ap_and_pq_are_null_with_a_reason(untrained, scored, case: str) -> None:
    semantic = case == "semantic task"
    found = scored(untrained("semantic" if semantic else "panoptic"), Scenes(annotated=semantic))
    undefined = {*CocoAP.metrics, "PQ", "SQ", "RQ"}
    assert {name for name, value in found["metrics"].items() if value is None} == undefined
    expected = "trained for semantic segmentation only" if semantic else "has no instance labels"
    assert all(expected in found["reasons"][name] for name in undefined)
    assert all(row["AP"] is row["PQ"] is None for row in found["per_class"])


def test_batches_do_not_change_the_predictions(untrained, scored) -> None:
    one = scored(untrained(), batch_size=1)
    three = scored(untrained(), batch_size=3)
    assert one["metrics"]["mIoU"] == pytest.approx(three["metrics"]["mIoU"], abs=0.5)


def test_images_are_batched_by_size() -> None:
    images = (
        (Scenes.ids[index], image.shape[:2], image)
        for index, image in enumerate(map(Scenes().image, range(3)))
    )
    batches = predict.same_size_batches(images, 8)
    assert [[image_id for image_id, *_ in batch] for batch in batches] == [["a", "b/ü"], ["c"]]


def test_a_limit_takes_the_first_images(untrained, scored) -> None:
    assert scored(untrained(), max_images=2)["images"] == 2


def test_the_same_run_gives_the_same_bytes_again(untrained, scored) -> None:
    folder = untrained()
    files = [folder / name for name in ("evaluation.json", "predictions.h5")]
    scored(folder)
    first = [path.read_bytes() for path in files]
    scored(folder)
    assert [path.read_bytes() for path in files] == first


def test_other_classes_or_missing_labels_are_refused(untrained, scored) -> None:
    other = Scenes()
    other.categories = (*CATEGORIES[:2], Category(2, "bus", True, (0, 60, 100)))
    with pytest.raises(LabelError, match=r"trained on the classes .*'car'.*'bus'"):
        scored(untrained(), other)

    class Bare(Scenes):
        def labels(self, index: int) -> tuple[None, None]:
            return None, None

    folder = untrained()
    with pytest.raises(LabelError, match="'a' has no labels"):
        scored(folder, Bare())
    assert not (folder / "evaluation.json").exists()


def test_a_new_evaluation_needs_no_new_inference(untrained, scored) -> None:
    """The prediction file alone gives every score again, by either protocol."""
    folder = untrained()
    first = scored(folder)
    (folder / "model.safetensors").unlink()
    (folder / "run.json").unlink()
    for protocol in ("cityscapes", "coco"):
        again = evaluate_run(
            predictions=folder / "predictions.h5", dataset=Scenes(), dataset_name="scenes", protocol=protocol
        )
    assert again == first


def test_predictions_of_images_that_the_data_set_lacks_are_refused(untrained, scored) -> None:
    folder = untrained()
    scored(folder)
    shorter = Scenes()
    shorter.ids = ("a", "c")
    with pytest.raises(LabelError, match=r"image 'b/ü' was predicted, but is not among the .* predict again"):
        evaluate_run(
            predictions=folder / "predictions.h5", dataset=shorter, dataset_name="scenes", protocol="coco"
        )


@pytest.mark.parametrize("setting", ["auto", "coco", "cityscapes"])
@pytest.mark.parametrize("own", ["coco", "cityscapes"])
def test_the_protocol_is_that_of_the_data_set_unless_one_is_asked_for(
    untrained, scored, setting: str, own: str
) -> None:
    dataset = Scenes()
    dataset.protocol = own
    found = scored(untrained(), dataset, protocol=setting, max_images=1)
    assert found["instance_protocol"] == (own if setting == "auto" else setting)


def test_the_data_sets_with_the_protocol_of_cityscapes() -> None:
    found = {kind for kind in READERS if reader(kind).protocol == "cityscapes"}
    assert found == {
        *("acdc", "cityscapes", "gta5", "kitti360", "miniscapes"),
        *("synscapes", "synthia", "urbansyn"),
    }
