"""Training items of real frames by the recipes of Cityscapes and ADE20K, and by COCO's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, ShortSideScale
from vfm_fusion.config.datasets import FolderConfig, Kind
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.segmentation.data import Batch, MaskDataset
from vfm_fusion.training.augment import LabelledImage, augment
from vfm_fusion.training.samples import StepSampler, loaded_steps

pytestmark = pytest.mark.realdata

CITYSCAPES = AugmentationConfig()
ADE20K = AugmentationConfig(crop=(640, 640), scale=ShortSideScale(pixels=640, max_side=2560))
COCO = AugmentationConfig(crop=(1024, 1024), scale=JitterScale(), color="none")


def opened(realdata: Path, kind: Kind) -> Dataset:
    root = realdata / "images" / kind
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, "train").frame.head(2))


@pytest.mark.parametrize(
    ("kind", "task", "config"),
    [
        ("cityscapes", "panoptic", CITYSCAPES),
        ("cityscapes", "instance", COCO),
        ("coco_stuff", "semantic", ADE20K),
    ],
)
def test_masks_of_a_real_crop_are_those_of_its_label_maps(
    realdata: Path, kind: Kind, task: str, config: AugmentationConfig
) -> None:
    dataset = opened(realdata, kind)
    things = {category.id for category in dataset.categories if category.isthing}
    for position in range(4):
        sample = dataset[position % 2]
        image, masks, labels = MaskDataset(dataset, task, config, seed=1)[position, position % 2]
        assert image.shape == (3, *config.crop)
        assert image.dtype == torch.uint8
        layers = () if task == "semantic" else (sample.instances.ids,)
        labelled = LabelledImage(sample.image, sample.semantic, layers)
        crop = augment(labelled, config, np.random.default_rng([1, 1, position]))
        assert np.array_equal(image.permute(1, 2, 0), crop.image)
        expected = []
        if task != "instance":
            regions = [k for k in np.unique(crop.semantic) if k != VOID]
            regions = [k for k in regions if task == "semantic" or int(k) not in things]
            expected += [crop.semantic == k for k in regions]
        if task != "semantic":
            numbers = [k for k in np.unique(crop.instances[0]) if k and not sample.instances.crowd[k - 1]]
            expected += [crop.instances[0] == k for k in numbers]
        assert len(labels) == len(expected)
        for mask, pixels in zip(masks.numpy(), expected, strict=True):
            np.testing.assert_array_equal(mask, pixels)


@pytest.mark.slow("frames of 2 megapixels, in worker processes")
def test_worker_processes_do_not_change_the_batches_of_real_frames(realdata: Path) -> None:
    dataset = opened(realdata, "cityscapes")

    def batches(workers: int) -> list:
        data = MaskDataset(dataset, "panoptic", CITYSCAPES, 0)

        def batch(step: int, samples: list[tuple[int, int]]) -> Batch:
            return data.batch(samples)

        with loaded_steps(batch, StepSampler(2, 3, seed=0), range(3), workers, 3) as loaded:
            return list(loaded)

    for alone, shared in zip(batches(0), batches(2), strict=True):
        assert torch.equal(alone.images, shared.images)
        assert all(torch.equal(a, b) for a, b in zip(alone.masks, shared.masks, strict=True))
