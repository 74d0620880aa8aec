"""Evaluation of a run, end to end, and the prediction file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import vfm_fusion.evaluation.evaluate as evaluate
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.training import HeadConfig, RunConfig, TrainingConfig
from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.errors import LabelError, ReportingError
from vfm_fusion.evaluation.average_precision import METRICS as AP_METRICS
from vfm_fusion.evaluation.predictions import read_prediction, writing_predictions
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.inference import PredictedInstances, Prediction, Segment
from vfm_fusion.segmentation.trained import describe_run, save_run

CATEGORIES = (
    Category(0, "road", False, (128, 64, 128)),
    Category(1, "sky", False, (70, 130, 180)),
    Category(2, "car", True, (0, 0, 142)),
)
METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "mIoU", "PQ", "SQ", "RQ")


class Scenes:
    """Three images of two sizes: a road, a sky and two cars."""

    categories = CATEGORIES
    ids = ("a", "b/ü", "c")

    def __init__(self, annotated: bool = True) -> None:
        self.annotated = annotated

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Sample:
        size = (48, 80) if index < 2 else (50, 70)
        ids = np.zeros(size, np.int32)
        ids[20:40, 5:25], ids[10:30, 40:66] = 1, 2
        semantic = np.where(np.arange(size[0])[:, None] < 12, 1, 0).repeat(size[1], axis=1).astype(np.uint8)
        semantic[ids > 0] = 2
        semantic[-3:] = 255
        image = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
        instances = Instances(ids, np.array([2, 2]), np.zeros(2, bool)) if self.annotated else None
        return Sample(self.ids[index], image, semantic, instances)


@pytest.fixture
def encoders() -> dict[str, EncoderConfig]:
    weights = {"source": "seeded", "seed": 1}
    return {
        name: EncoderConfig.model_validate({"architecture": architecture, "weights": weights})
        for name, architecture in (("vit", "mini_vit"), ("hiera", "mini_hiera"))
    }


@pytest.fixture
def untrained(tmp_path: Path, encoders: dict[str, EncoderConfig]):
    """Writes a run that was not trained, and returns its folder."""

    def make(task: str = "panoptic", auxiliary: str | None = "hiera") -> Path:
        head = HeadConfig(
            pyramid_channels=(8, 8, 8, 8),
            hidden_dim=32,
            heads=2,
            pixel_decoder_layers=1,
            pixel_decoder_feedforward_dim=32,
            decoder_layers=1,
            feedforward_dim=32,
            queries=8,
            points=64,
        )
        run = RunConfig(master="vit", auxiliary=auxiliary)
        strides = () if auxiliary is None else (8,)
        model = build_segmenter(run, encoders, strides, head, len(CATEGORIES), 5)
        description = describe_run(
            name="fused",
            run=run,
            encoders=encoders,
            strides=strides,
            training=TrainingConfig(task=task, head=head),
            seed=5,
            categories=CATEGORIES,
            model=model,
        )
        folder = tmp_path / task / "fused" / "seed5"
        save_run(folder, model, description)
        return folder

    return make


@pytest.fixture
def scored(encoders: dict[str, EncoderConfig]):
    def run(folder: Path, dataset=None, **settings) -> dict:
        return evaluate.evaluate_run(
            run_dir=folder,
            dataset=Scenes() if dataset is None else dataset,
            encoders=encoders,
            evaluation=EvaluationConfig(**settings),
            dataset_name="scenes",
        )

    return run


def truth_as_prediction(sample: Sample) -> Prediction:
    panoptic = evaluate.true_panoptic(sample, [2])
    masks = np.stack([sample.instances.ids == k for k in (1, 2)])
    return Prediction(
        np.where(sample.semantic == 255, 0, sample.semantic).astype(np.uint8),
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
    assert set(found["metrics"]) == set(METRICS)
    assert set(found["reasons"]) == {name for name, value in found["metrics"].items() if value is None}
    assert [set(row) for row in found["per_class"]] == [
        {"category", "isthing", "AP", "AP50", "IoU", "PQ"}
    ] * 3
    assert found["parameters"]["total"] > found["parameters"]["trainable"] > 0


def test_a_run_without_auxiliary_says_so(untrained, scored) -> None:
    found = scored(untrained(auxiliary=None))
    assert found["auxiliary"] is found["operator"] is None
    assert found["strides"] == []


def test_the_truth_as_prediction_scores_100_throughout(
    untrained, scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    truths = iter([truth_as_prediction(Scenes()[index]) for index in range(3)])
    monkeypatch.setattr(evaluate, "predict", lambda model, images, *_: [next(truths) for _ in images])
    found = scored(untrained())
    assert {name: value for name, value in found["metrics"].items() if value is not None} == pytest.approx(
        {"AP": 100, "AP50": 100, "AP75": 100, "APs": 100, "mIoU": 100, "PQ": 100, "SQ": 100, "RQ": 100}
    )
    assert set(found["reasons"]) == {"APm", "APl"}


@pytest.mark.parametrize("case", ["semantic task", "no instance labels"])
def test_without_instances_ap_and_pq_are_null_with_a_reason(untrained, scored, case: str) -> None:
    semantic = case == "semantic task"
    found = scored(untrained("semantic" if semantic else "panoptic"), Scenes(annotated=semantic))
    undefined = {*AP_METRICS, "PQ", "SQ", "RQ"}
    assert {name for name, value in found["metrics"].items() if value is None} == undefined
    expected = "trained for semantic segmentation only" if semantic else "has no instance labels"
    assert all(expected in found["reasons"][name] for name in undefined)
    assert all(row["AP"] is row["PQ"] is None for row in found["per_class"])


def test_batches_do_not_change_the_predictions(untrained, scored) -> None:
    one = scored(untrained(), batch_size=1)
    three = scored(untrained(), batch_size=3)
    assert one["metrics"]["mIoU"] == pytest.approx(three["metrics"]["mIoU"], abs=0.5)


def test_images_are_batched_by_size() -> None:
    batches = evaluate.same_size_batches((Scenes()[index] for index in range(3)), 8)
    assert [[sample.image_id for sample in batch] for batch in batches] == [["a", "b/ü"], ["c"]]


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
        def __getitem__(self, index: int) -> Sample:
            return Sample("a", super().__getitem__(index).image, None, None)

    folder = untrained()
    with pytest.raises(LabelError, match="'a' has no labels"):
        scored(folder, Bare())
    assert not (folder / "predictions.h5").exists()


def test_predictions_are_read_back_by_image(tmp_path: Path) -> None:
    path = tmp_path / "predictions.h5"
    predictions = {sample.image_id: truth_as_prediction(sample) for sample in (Scenes()[k] for k in range(3))}
    with writing_predictions(path) as writer:
        for image_id, prediction in predictions.items():
            writer.add(image_id, prediction, encode_predictions(prediction.instances))
    for image_id, prediction in predictions.items():
        found = read_prediction(path, image_id)
        np.testing.assert_array_equal(found.semantic, prediction.semantic)
        np.testing.assert_array_equal(found.panoptic, prediction.panoptic)
        assert found.segments.tolist() == [(s.id, s.category, s.isthing) for s in prediction.segments]
    with pytest.raises(ReportingError, match="'d' among 3"):
        read_prediction(path, "d")


def test_empty_predictions_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.h5"
    empty = PredictedInstances(np.zeros((0, 4, 6), bool), np.zeros(0, np.int64), np.zeros(0, np.float32))
    prediction = Prediction(np.zeros((4, 6), np.uint8), empty, np.zeros((4, 6), np.int32), ())
    with writing_predictions(path) as writer:
        writer.add("a", prediction, encode_predictions(empty))
        writer.add("b", prediction, None)
    assert len(read_prediction(path, "a").segments) == 0
    assert read_prediction(path, "b").panoptic is None


def test_an_error_while_writing_leaves_the_previous_predictions(tmp_path: Path) -> None:
    path = tmp_path / "predictions.h5"
    path.write_bytes(b"previous")
    with pytest.raises(RuntimeError, match="stop"), writing_predictions(path):
        raise RuntimeError("stop")
    assert path.read_bytes() == b"previous"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
