"""Targets and augmentation of training samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segmentation_toys import ToyDataset

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.datasets.base import VOID, Instances, Sample
from vfm_fusion.datasets.readers.coco_instance import lay_over
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.data import MaskDataset
from vfm_fusion.training.augment import LabelledImage, augment

PLAIN = AugmentationConfig(crop=(64, 96), scale=RelativeScale(range=(1, 1)), flip=False, color="none")


class OneImage:
    """A data set of one given sample."""

    categories = ToyDataset.categories

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Sample:
        return self.sample


def targets(dataset, task: str = "panoptic", config: AugmentationConfig = PLAIN) -> tuple:
    return MaskDataset(dataset, task, config, seed=0)[0, 0]


def test_an_unaugmented_image_arrives_as_it_is() -> None:
    image, _, _ = targets(ToyDataset())
    assert torch.equal(image, torch.from_numpy(ToyDataset()[0].image).permute(2, 0, 1))


def test_a_batch_becomes_floats_on_its_device_once() -> None:
    data = MaskDataset(ToyDataset(), "panoptic", PLAIN, seed=0)
    loaded = data.batch([(0, 0), (1, 1)])
    moved = loaded.to(torch.device("cpu"))
    assert loaded.images.dtype == torch.uint8
    assert torch.equal(moved.images, loaded.images.float() / 255)
    assert torch.equal(moved.to(torch.device("cpu")).images, moved.images)
    assert all(torch.equal(a, b) for a, b in zip(moved.masks, loaded.masks, strict=True))


def test_panoptic_targets_are_one_mask_per_stuff_class_and_instance_without_crowds() -> None:
    sample = ToyDataset()[0]
    _, masks, labels = targets(OneImage(sample))
    expected = [(0, sample.semantic == 0), (1, sample.semantic == 1)]
    expected += [(c, sample.instances.ids == k) for k, c in ((1, 3), (2, 3), (3, 2))]
    expected = [(label, mask) for label, mask in expected if mask.any()]
    assert labels.tolist() == [label for label, _ in expected]
    for found, (_, mask) in zip(masks.numpy(), expected, strict=True):
        np.testing.assert_array_equal(found, mask)


def test_semantic_targets_are_one_mask_per_class_things_included() -> None:
    sample = ToyDataset()[0]
    _, masks, labels = targets(OneImage(sample), task="semantic")
    present = [c for c in np.unique(sample.semantic).tolist() if c != VOID]
    assert labels.tolist() == present
    assert set(present) == {0, 1, 2, 3}
    for found, category in zip(masks.numpy(), present, strict=True):
        np.testing.assert_array_equal(found, sample.semantic == category)


BOXES = ((30, 50, 30, 50), (20, 60, 40, 90), (10, 40, 10, 60), (0, 14, 0, 30))


def overlapping() -> Sample:
    """A person in front of a car in front of another car, and a crowd of cars behind them all."""
    masks = np.zeros((4, 64, 96), bool)
    for mask, (top, bottom, left, right) in zip(masks, BOXES, strict=True):
        mask[top:bottom, left:right] = True
    ids, covered = lay_over(enumerate(masks, start=1), (64, 96))
    instances = Instances(ids, np.array([2, 3, 3, 3]), np.array([False, False, False, True]), covered)
    semantic = np.array([0, 2, 3, 3, 3], np.uint8)[ids]
    return Sample("overlapping", np.zeros((64, 96, 3), np.uint8), semantic, instances)


def test_a_covered_object_is_a_whole_target() -> None:
    _, masks, labels = targets(OneImage(overlapping()))
    assert labels.tolist() == [0, 2, 3, 3]
    for mask, (top, bottom, left, right) in zip(masks[1:].numpy(), BOXES, strict=False):
        expected = np.zeros((64, 96), bool)
        expected[top:bottom, left:right] = True
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("seed", range(6))
def test_augmentation_moves_covered_objects_with_the_image(seed: int) -> None:
    sample = overlapping()
    config = AugmentationConfig(crop=(32, 64), scale=RelativeScale(), color="none")
    layers = (sample.instances.ids, *sample.instances.covered)
    found = augment(LabelledImage(sample.image, sample.semantic, layers), config, np.random.default_rng(seed))
    for number in (1, 2, 3):
        mask = sample.instances.mask(number - 1)
        alone = LabelledImage(sample.image, sample.semantic, (mask.astype(np.int32),))
        expected = augment(alone, config, np.random.default_rng(seed)).instances[0] == 1
        moved = np.any([layer == number for layer in found.instances], axis=0)
        np.testing.assert_array_equal(moved, expected)


def test_an_object_that_is_all_covered_is_a_target() -> None:
    ids, behind = np.ones((64, 96), np.int32), np.zeros((1, 64, 96), np.int32)
    behind[0, 10:20, 10:20] = 2
    instances = Instances(ids, np.array([3, 2]), np.zeros(2, bool), behind)
    image = np.zeros((64, 96, 3), np.uint8)
    _, masks, labels = targets(OneImage(Sample("covered", image, np.full((64, 96), 3, np.uint8), instances)))
    assert labels.tolist() == [3, 2]
    assert masks.sum(dim=(1, 2)).tolist() == [64 * 96, 100]


def test_an_image_of_void_has_no_targets() -> None:
    void = np.full((64, 96), VOID, np.uint8)
    sample = Sample(
        "void",
        np.zeros((64, 96, 3), np.uint8),
        void,
        Instances(np.zeros((64, 96), np.int32), np.zeros(0, np.int64), np.zeros(0, bool)),
    )
    _, masks, labels = targets(OneImage(sample))
    assert masks.shape == (0, 64, 96)
    assert labels.shape == (0,)
    assert labels.dtype == torch.int64


def test_more_objects_than_a_byte_counts_keep_their_masks() -> None:
    ids = np.arange(64 * 96, dtype=np.int32).reshape(64, 96) // 16  # 0 to 383
    covered = np.zeros((2, 64, 96), np.int32)
    covered[0, :2, :8], covered[0, 40, 40], covered[1, 9, 9:12] = 3, 380, 290
    crowd = np.zeros(383, bool)
    crowd[[4, 299]] = True
    instances = Instances(ids, np.full(383, 3), crowd, covered)
    image, semantic = np.zeros((64, 96, 3), np.uint8), np.full((64, 96), VOID, np.uint8)
    _, masks, labels = targets(OneImage(Sample("many", image, semantic, instances)))
    assert labels.tolist() == [3] * 381
    kept = [k for k in range(383) if not crowd[k]]
    for mask, k in zip(masks.numpy(), kept, strict=True):
        np.testing.assert_array_equal(mask, instances.mask(k))


@pytest.mark.parametrize("missing", ["instances", "semantic"])
def test_missing_labels_are_refused_by_image(missing: str) -> None:
    sample = ToyDataset()[2]
    bare = Sample(sample.image_id, sample.image, None if missing == "semantic" else sample.semantic, None)
    with pytest.raises(TrainingError, match=f"'toy 2' has no {missing[:8]}"):
        targets(OneImage(bare))


def test_a_sample_depends_on_seed_and_position_alone() -> None:
    config = AugmentationConfig(crop=(32, 64), scale=RelativeScale())
    data = MaskDataset(ToyDataset(), "panoptic", config, seed=0)
    first, again = data[7, 2], (data[8, 2], data[7, 2])[1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], data[8, 2][0])
    assert not torch.equal(first[0], MaskDataset(ToyDataset(), "panoptic", config, seed=1)[7, 2][0])
