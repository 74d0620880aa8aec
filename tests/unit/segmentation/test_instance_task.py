"""The task `instance`: which targets it has, what its head tells apart, and what a run of it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from segmentation_toys import CATEGORIES, ToyDataset

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.datasets.readers.coco_instance import lay_over
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import MaskDataset
from vfm_fusion.segmentation.finetuned import finetuned_encoder
from vfm_fusion.segmentation.inference import decode
from vfm_fusion.segmentation.job import train_run
from vfm_fusion.segmentation.loss import MaskCriterion
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.segmentation.trained import load_run

PLAIN = AugmentationConfig(crop=(64, 96), scale=RelativeScale(range=(1, 1)), flip=False, color="none")
SIZE = (64, 96)


class Images:
    """A data set of given samples."""

    categories = CATEGORIES

    def __init__(self, *samples: Sample) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def sample(name: str, instances: Instances | None, semantic: np.ndarray | None = None) -> Sample:
    return Sample(name, np.full((*SIZE, 3), 90, np.uint8), semantic, instances)


def no_objects() -> Instances:
    return Instances(np.zeros(SIZE, np.int32), np.zeros(0, np.int64), np.zeros(0, bool))


def overlapping() -> tuple[np.ndarray, Instances]:
    """A person in front of two cars, and a crowd of cars behind them; no class map."""
    masks = np.zeros((4, *SIZE), bool)
    for mask, (top, bottom, left, right) in zip(
        masks, ((30, 50, 30, 50), (20, 60, 40, 90), (10, 40, 10, 60), (0, 14, 0, 30)), strict=True
    ):
        mask[top:bottom, left:right] = True
    ids, covered = lay_over(enumerate(masks, start=1), SIZE)
    crowd = np.array([False, False, False, True])
    return masks, Instances(ids, np.array([2, 3, 3, 3]), crowd, covered)


def targets(dataset: Images, position: int = 0, index: int = 0) -> tuple[torch.Tensor, ...]:
    return MaskDataset(dataset, "instance", PLAIN, seed=0)[position, index]


def test_a_head_has_an_output_for_each_class_that_its_task_learns() -> None:
    every, things = (TaskClasses.of(task, CATEGORIES) for task in ("panoptic", "instance"))
    assert every.train_ids == TaskClasses.of("semantic", CATEGORIES).train_ids == (0, 1, 2, 3)
    assert (things.train_ids, things.names, len(things)) == ((2, 3), ("person", "car"), 2)
    assert every.things == things.things == {2, 3}
    assert things.outputs([3, 2, 3]) == [1, 0, 1]
    assert every.outputs([3, 0]) == [3, 0]


def test_a_data_set_of_stuff_alone_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"none of the classes \['sky'\] is one; use `training.task: sem"):
        TaskClasses.of("instance", [Category(0, "sky", False, (70, 130, 180))])


def test_targets_are_whole_objects_without_crowds_and_need_no_class_map() -> None:
    masks, instances = overlapping()
    _, found, labels = targets(Images(sample("a", instances)))
    np.testing.assert_array_equal(found.numpy(), masks[:3])
    assert labels.tolist() == [0, 1, 1]
    assert labels.dtype == torch.int64


def test_the_class_map_does_not_matter() -> None:
    _, instances = overlapping()
    rng = np.random.default_rng(0)
    bare, labelled = (
        targets(Images(sample("a", instances, semantic)))
        for semantic in (None, rng.integers(0, 4, SIZE).astype(np.uint8))
    )
    assert all(torch.equal(a, b) for a, b in zip(bare, labelled, strict=True))


def test_an_image_without_objects_gives_its_place_to_one_with_objects() -> None:
    _, instances = overlapping()
    crowd = Instances(instances.ids, instances.categories, np.ones(4, bool), instances.covered)
    unseen = Instances(np.zeros(SIZE, np.int32), np.array([2, 3]), np.zeros(2, bool))  # draw no pixel
    images = {"none": no_objects(), "crowd": crowd, "unseen": unseen, "objects": instances}
    dataset = Images(*(sample(name, found) for name, found in images.items()))
    data = MaskDataset(dataset, "instance", PLAIN, seed=0)
    for position in range(20):
        for index in range(len(images)):
            assert len(data[position, index][2]) == 3
    for first, again in zip(data[7, 0], MaskDataset(dataset, "instance", PLAIN, 0)[7, 0], strict=True):
        assert torch.equal(first, again)


def test_the_place_goes_to_every_other_image_alike() -> None:
    class Counted(Images):
        drawn = np.zeros(5, int)

        def __getitem__(self, index: int) -> Sample:
            self.drawn[index] += 1
            return super().__getitem__(index)

    objects = [sample(f"{k}", overlapping()[1]) for k in range(4)]
    data = MaskDataset(Counted(sample("none", no_objects()), *objects), "instance", PLAIN, seed=3)
    for position in range(200):
        data[position, 0]
    assert (data.dataset.drawn[1:] > 30).all()  # 50 each, on average
    assert data.dataset.drawn[1:].sum() == 200


def test_a_crop_may_hold_no_object() -> None:
    ids = np.zeros(SIZE, np.int32)
    ids[:, :30] = 1
    left = Instances(ids, np.array([3]), np.zeros(1, bool))
    config = PLAIN.model_copy(update={"crop": (32, 32)})
    data = MaskDataset(Images(sample("left", left)), "instance", config, seed=0)
    counts = [len(data[position, 0][2]) for position in range(12)]
    assert set(counts) == {0, 1}
    empty = data[counts.index(0), 0]
    assert empty[1].shape == (0, 32, 32)
    assert empty[2].dtype == torch.int64


def test_a_split_without_any_object_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"64 images in a row hold no object \(the last one is 'none'\)"):
        targets(Images(sample("none", no_objects())))


def test_missing_instance_labels_are_refused_by_image() -> None:
    with pytest.raises(TrainingError, match=r"'a' has no instance labels, which `training\.task: instance`"):
        targets(Images(sample("a", None, np.zeros(SIZE, np.uint8))))


def test_a_batch_without_objects_has_a_loss(encoders, head_config) -> None:
    """Of the class alone: every query is to say 'no object'."""
    model = build_segmenter(RunConfig(master="hiera"), encoders, (), head_config, 2, 0).train()
    criterion = MaskCriterion(2, head_config)
    losses = criterion(
        model(torch.rand(2, 3, *SIZE)), [torch.zeros(0, *SIZE)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    )
    assert losses["loss_mask"] == losses["loss_dice"] == 0
    assert losses["loss"] == losses["loss_class"] > 0
    losses["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_the_most_probable_pairs_are_objects_with_train_ids() -> None:
    classes = TaskClasses.of("instance", CATEGORIES)
    logits = torch.tensor([[0.9, 0.06, 0.04], [0.2, 0.7, 0.1]]).log()  # person, car, none
    masks = torch.full((2, 8, 12), -20.0)
    masks[0, :3], masks[1, 5:] = 20, 20
    found = decode(logits, masks, (8, 12), classes, EvaluationConfig(top_instances=3))
    assert found.semantic is found.panoptic is found.segments is None
    assert found.instances.categories.tolist() == [2, 3, 2]
    np.testing.assert_allclose(found.instances.scores, [0.9, 0.7, 0.2], rtol=1e-5)
    assert found.instances.masks[0, :3].all()
    assert found.instances.masks[1:, 5:].all()


@pytest.fixture
def instance_run(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig) -> Path:
    folder = tmp_path / "fused" / "seed0"
    train_run(
        run=RunConfig(master="hiera", auxiliary="vit"),
        encoders=encoders,
        strides=(8,),
        training=recipe.model_copy(update={"task": "instance"}),
        seed=0,
        dataset=ToyDataset(),
        out_dir=folder,
        state_dir=tmp_path / "state",
        token="t",
    )
    return folder


def test_a_run_trains_and_is_rebuilt_with_its_things(
    instance_run: Path, encoders: dict[str, EncoderConfig]
) -> None:
    model, description = load_run(instance_run, encoders)
    assert isinstance(model, FusedSegmenter)
    assert description["training"]["task"] == "instance"
    written = json.loads((instance_run / "run.json").read_text(encoding="utf-8"))["categories"]
    assert written == [{"id": c.id, "name": c.name, "isthing": c.isthing} for c in CATEGORIES]
    with torch.inference_mode():
        assert model(torch.rand(1, 3, *SIZE)).class_logits.shape[-1] == 2 + 1
    assert TaskClasses.of_run(description) == TaskClasses.of("instance", CATEGORIES)


def test_its_fine_tuned_encoder_can_be_profiled(
    instance_run: Path, encoders: dict[str, EncoderConfig]
) -> None:
    encoder, source = finetuned_encoder(instance_run, encoders, "toys")
    before = build_encoder(encoders["hiera"]).state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert source.pretraining == "untrained (seed 1), fine-tuned"
