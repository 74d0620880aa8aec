"""A run evaluated on another data set than the one it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from evaluation_scenes import HEAD

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.registries import READERS
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.kinds import reader
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.segmentation.job import train_run
from vfm_fusion.segmentation.task_classes import check_classes

CITYSCAPES = reader("cityscapes").categories


def streets(folder: Path, style: str, split: str) -> Dataset:
    config = MiniscapesConfig(kind="miniscapes", train=2, val=2, height=128, width=256, style=style)
    if not folder.exists():
        generate(config, folder, workers=1)
    return open_dataset(config, folder, index_split(config, folder, split).frame)


def written(task: str, categories) -> dict:
    """What ``run.json`` says of classes."""
    rows = [{"id": c.id, "name": c.name, "isthing": c.isthing} for c in categories]
    return {"run": "fused", "training": {"task": task}, "categories": rows}


@pytest.mark.parametrize("task", ["instance", "panoptic", "semantic"])
def test_a_run_of_one_style_is_scored_on_the_other(tmp_path: Path, encoders, task: str) -> None:
    recipe = TrainingConfig(
        task=task,
        steps=2,
        batch_size=1,
        head=HEAD,
        augmentation=AugmentationConfig(crop=(64, 128), scale=RelativeScale(range=(0.5, 1))),
    )
    folder = tmp_path / "fused" / "seed0"
    train_run(
        run=RunConfig(master="hiera", auxiliary="vit"),
        encoders=encoders,
        strides=(8,),
        training=recipe,
        seed=0,
        dataset=streets(tmp_path / "synthetic", "synthetic", "train"),
        out_dir=folder,
        state_dir=tmp_path / "state",
        token="t",
    )
    found = {}
    for style in ("synthetic", "real"):
        target = streets(tmp_path / style, style, "val")
        predictions = folder / style / "predictions.h5"
        predict_run(
            run_dir=folder,
            predictions=predictions,
            dataset=target,
            encoders=encoders,
            inference=EvaluationConfig(),
        )
        found[style] = evaluate_run(
            predictions=predictions, dataset=target, dataset_name=style, protocol="cityscapes"
        )
        assert found[style]["dataset"] == style
        assert [row["category"] for row in found[style]["per_class"]] == [c.name for c in CITYSCAPES]
    metric = "mIoU" if task == "semantic" else "AP"
    assert all(scores["metrics"][metric] is not None for scores in found.values())
    assert all((folder / style / "evaluation.json").is_file() for style in found)


@pytest.mark.parametrize("task", ["instance", "panoptic", "semantic"])
def test_every_street_data_set_serves_a_run_of_another(task: str) -> None:
    kinds = [kind for kind in READERS if reader(kind).protocol == "cityscapes"]
    for kind in (*kinds, "bdd100k", "mapillary"):
        check_classes(written(task, CITYSCAPES), SimpleNamespace(categories=reader(kind).categories))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "instance",
            r"on the things \['person'.*'bicycle'\], .* has \['car'.*it lacks: person, rider, truck",
        ),
        ("panoptic", r"on the classes \['road'.*the run lacks: pavement, tree, sign, pedestrian"),
        ("semantic", r"on the classes \['road'.*same classes"),
    ],
)
def test_camvid_is_refused_for_a_run_of_street_classes(task: str, message: str) -> None:
    camvid = SimpleNamespace(categories=reader("camvid").categories)
    with pytest.raises(LabelError, match=message):
        check_classes(written(task, CITYSCAPES), camvid)


def test_predicting_and_evaluating_refuse_it_too(untrained, scored, tmp_path: Path) -> None:
    camvid = SimpleNamespace(categories=reader("camvid").categories, ids=())
    folder = untrained("instance", categories=CITYSCAPES)
    with pytest.raises(LabelError, match="the things"):
        scored(folder, camvid)
    assert not (folder / "predictions.h5").exists()
    scored(folder, streets(tmp_path / "real", "real", "val"))
    with pytest.raises(LabelError, match="the things"):
        evaluate_run(
            predictions=folder / "predictions.h5", dataset=camvid, dataset_name="camvid", protocol="coco"
        )


def test_an_instance_run_needs_only_the_things_to_agree() -> None:
    objects, everything = (reader(kind).categories for kind in ("coco_instance", "coco_panoptic"))
    check_classes(written("instance", objects), SimpleNamespace(categories=everything))
    with pytest.raises(LabelError, match="the run lacks: banner, blanket"):
        check_classes(written("panoptic", objects), SimpleNamespace(categories=everything))


def test_another_order_is_refused() -> None:
    turned = tuple(replace(c, id=k) for k, c in enumerate(reversed(CITYSCAPES)))
    for task in ("instance", "semantic"):
        with pytest.raises(LabelError, match="in another order"):
            check_classes(written(task, CITYSCAPES), SimpleNamespace(categories=turned))


def test_a_class_that_is_a_thing_on_one_side_only_is_refused_where_it_matters() -> None:
    poles = tuple(replace(c, isthing=True) if c.name == "pole" else c for c in CITYSCAPES)
    other = SimpleNamespace(categories=poles)
    check_classes(written("semantic", CITYSCAPES), other)
    with pytest.raises(LabelError, match=r"do not agree on which of the classes \['pole'\] are things"):
        check_classes(written("panoptic", CITYSCAPES), other)
    with pytest.raises(LabelError, match="the run lacks: pole"):
        check_classes(written("instance", CITYSCAPES), other)


def test_a_data_set_of_stuff_alone_cannot_score_objects() -> None:
    stuff = SimpleNamespace(categories=tuple(c for c in CITYSCAPES if not c.isthing))
    with pytest.raises(LabelError, match="has only stuff"):
        check_classes(written("instance", CITYSCAPES), stuff)
