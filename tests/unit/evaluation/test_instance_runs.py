"""What an instance run leaves behind, and that tables and figures can show it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation_scenes import CATEGORIES, Scenes

import vfm_fusion.evaluation.predict as predict_module
from vfm_fusion.datasets.base import Sample, subset
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.reporting.figures.qualitative import load_scenes, qualitative_figure
from vfm_fusion.reporting.labels import run_models
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.tables.main_results import main_results_table
from vfm_fusion.reporting.tables.per_class import per_class_table
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction

LABELS = {name: {"label": name, "pretraining": "untrained (seed 1)"} for name in ("vit", "hiera")}
NOT_PREDICTED = {"mIoU", "boundary_mIoU", "PQ", "SQ", "RQ"}


class Readable(Scenes):
    """The scenes with images and labels together."""

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.ids[index], self.image(index), *self.labels(index))


@pytest.fixture
def truth_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predicts the annotated cars, the second one with a confidence below one half."""
    remaining = iter(range(3))

    def predict(model, images, *_) -> list[Prediction]:
        masks = [Scenes().labels(next(remaining))[1].ids for _ in images]
        return [
            Prediction(
                None,
                PredictedInstances(
                    np.stack([ids == 1, ids == 2]), np.array([2, 2]), np.array([0.9, 0.4], np.float32)
                ),
                None,
                None,
            )
            for ids in masks
        ]

    monkeypatch.setattr(predict_module, "predict", predict)


def test_only_objects_are_stored(untrained, scored) -> None:
    folder = untrained("instance")
    scored(folder)
    with h5py.File(folder / "predictions.h5") as file:
        assert {name for image in file["images"].values() for name in image} == {"instances", "size", "codes"}
        assert file["images/0/size"][:].tolist() == [48, 80]
        assert set(file["images/0/instances"]["category"].tolist()) == {2}


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_what_is_not_predicted_is_null_with_a_reason(untrained, scored, protocol: str) -> None:
    found = scored(untrained("instance"), protocol=protocol)
    assert found["task"] == "instance"
    assert found["metrics"]["AP"] is not None
    assert {name for name in found["metrics"] if name in NOT_PREDICTED} == NOT_PREDICTED
    for name in NOT_PREDICTED:
        assert found["metrics"][name] is None
        assert found["reasons"][name] == "trained for instance segmentation only"
    assert [row["category"] for row in found["per_class"]] == ["road", "sky", "car"]
    assert all(row["IoU"] is row["PQ"] is None for row in found["per_class"])
    assert found["per_class"][2]["AP"] is not None


def test_it_is_scored_where_only_objects_are_annotated(untrained, scored, truth_predicted) -> None:
    class Bare(Scenes):
        def labels(self, index: int):
            return None, super().labels(index)[1]

    found = scored(untrained("instance"), Bare())
    assert found["metrics"]["AP"] == pytest.approx(100)


def test_class_maps_are_needed_for_what_they_score(untrained, scored) -> None:
    class Bare(Scenes):
        def labels(self, index: int):
            return None, super().labels(index)[1]

    with pytest.raises(LabelError, match="'a' has no class labels, by which a panoptic run is scored"):
        scored(untrained("panoptic"), Bare())


def test_without_instance_labels_ap_has_that_reason(untrained, scored) -> None:
    found = scored(untrained("instance"), Scenes(annotated=False))
    assert found["metrics"]["AP"] is None
    assert "has no instance labels" in found["reasons"]["AP"]
    assert found["reasons"]["PQ"] == "trained for instance segmentation only"


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_tables_show_it(untrained, scored, truth_predicted, protocol: str) -> None:
    folder = untrained("instance")
    scored(folder, protocol=protocol)
    evaluation = read_evaluation(folder / "evaluation.json")
    runs = {"fused": "Ours"}
    main = main_results_table([evaluation], LABELS, runs, [5])
    assert "100.0" in to_markdown(main)
    assert "boundary: Boundary AP, of regions" in to_markdown(main)
    by_metric = main.data[main.data["seed"] == "all"].set_index("metric")
    assert by_metric.loc["AP", "value"] == pytest.approx(100)
    per_class = per_class_table([evaluation], LABELS, runs, [5], {"road": 0.1, "sky": 0.2, "car": 0.3})
    assert set(per_class.data["class"]) == {"car"}
    assert "100.0" in to_markdown(per_class)


def test_the_figure_shows_objects_over_the_image(untrained, scored, truth_predicted) -> None:
    folder = untrained("instance")
    scored(folder)
    scenes = load_scenes(Readable(), {"Ours": folder / "predictions.h5"}, 2)
    for index, scene in zip(subset(3, 2), scenes, strict=True):
        ids = Scenes().labels(index)[1].ids
        truth, predicted = scene.truth, scene.predictions["Ours"]
        assert truth.void_shown
        assert predicted.void_shown
        np.testing.assert_array_equal(truth.semantic, np.where(ids > 0, 2, 255))
        np.testing.assert_array_equal(truth.segments, ids)
        np.testing.assert_array_equal(predicted.semantic, np.where(ids == 1, 2, 255))  # the other is unsure
    evaluation = read_evaluation(folder / "evaluation.json")
    figure = qualitative_figure(scenes[:1], CATEGORIES, {"Ours": run_models(evaluation, LABELS)})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["car"]


def test_the_surest_object_lies_in_front(untrained, scored, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = np.zeros((2, 48, 80), bool)
    masks[0, 10:30, 10:30] = masks[1, 20:40, 20:40] = True
    found = PredictedInstances(masks, np.array([2, 2]), np.array([0.9, 0.8], np.float32))
    monkeypatch.setattr(
        predict_module, "predict", lambda model, images, *_: [Prediction(None, found, None, None)]
    )
    folder = untrained("instance")
    scored(folder, max_images=1)
    (scene,) = load_scenes(Readable(), {"Ours": folder / "predictions.h5"}, 1)
    np.testing.assert_array_equal(
        scene.predictions["Ours"].segments, np.where(masks[0], 1, 2 * masks[1].astype(int))
    )


def test_a_new_evaluation_needs_no_new_inference(untrained, scored) -> None:
    folder = untrained("instance")
    first = scored(folder)
    again = evaluate_run(
        predictions=Path(folder / "predictions.h5"),
        dataset=Scenes(),
        dataset_name="scenes",
        protocol="coco",
    )
    assert again == first
