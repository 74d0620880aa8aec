"""Fixed views of a data set: what they show, and that they are always the same."""

from __future__ import annotations

import numpy as np
import pytest

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, RelativeScale, ShortSideScale
from vfm_fusion.datasets.base import VOID, Category, Instances, Sample
from vfm_fusion.training.augment import LabelledImage, augment
from vfm_fusion.training.views import Views

CONFIGS = [
    AugmentationConfig(crop=(64, 64), scale=RelativeScale(), color="ssd"),
    AugmentationConfig(crop=(32, 96), scale=JitterScale(), color="simple"),
    AugmentationConfig(
        crop=(64, 64), scale=ShortSideScale(pixels=64, max_side=256), single_category_max_area=0.75
    ),
]


class Scenes:
    """Three random images with classes and objects, one of which lies over another."""

    categories = (Category(0, "road", False, (0, 0, 0)), Category(1, "car", True, (9, 9, 9)))
    ids = ("a", "b", "c")
    read: list[str]

    def __init__(self, classes: bool = True) -> None:
        self.classes = classes
        self.read = []

    def __len__(self) -> int:
        return 3

    def image(self, position: int) -> np.ndarray:
        self.read.append(f"image {position}")
        return np.random.default_rng(position).integers(0, 256, (70, 110, 3), dtype=np.uint8)

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances]:
        self.read.append(f"labels {position}")
        ids, covered = np.zeros((2, 70, 110), np.int32)
        ids[10:40, 20:60], covered[30:50, 30:50] = 1, 2
        semantic = np.where(ids > 0, 1, 0).astype(np.uint8) if self.classes else None
        return semantic, Instances(ids, np.array([1, 1]), np.zeros(2, bool), covered[None], np.array([9, 9]))

    def __getitem__(self, position: int) -> Sample:
        return Sample(self.ids[position], self.image(position), *self.labels(position))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.scale.kind)
def test_pixels_and_labels_are_those_of_the_augmented_image_read_together_or_apart(config) -> None:
    views = Views(Scenes(), config, 4)
    assert views.ids[:5] == ("a.view0", "a.view1", "a.view2", "a.view3", "b.view0")
    assert len(views) == 12
    for position in range(12):
        sample, (semantic, instances) = views[position], views.labels(position)
        whole = Scenes()[position // 4]
        expected = augment(
            LabelledImage(whole.image, whole.semantic, whole.instances.layers),
            config,
            np.random.default_rng([7, position // 4, position % 4]),
        )
        for image in (sample.image, views.image(position)):
            np.testing.assert_array_equal(image, expected.image)
        for found in (sample.semantic, semantic):
            np.testing.assert_array_equal(found, expected.semantic)
        for objects in (sample.instances, instances):
            np.testing.assert_array_equal(np.stack(objects.layers), np.stack(expected.instances))
            assert objects.areas is None
            assert objects.categories.tolist() == [1, 1]
        assert sample.image.shape[:2] == views.size_of(position) == config.crop


def test_views_differ_from_one_another_and_are_the_same_the_next_time() -> None:
    images = [Views(Scenes(), CONFIGS[0], 8).image(position) for position in range(8)]
    assert len({image.tobytes() for image in images}) == 8
    again = Views(Scenes(), CONFIGS[0], 8)
    assert all((again.image(position) == image).all() for position, image in enumerate(images))


def test_more_views_keep_the_first_ones() -> None:
    few, many = Views(Scenes(), CONFIGS[0], 2), Views(Scenes(), CONFIGS[0], 5)
    np.testing.assert_array_equal(few.image(3), many.image(6))


def test_labels_are_read_without_pixels_and_pixels_without_labels() -> None:
    scenes = Scenes()
    Views(scenes, CONFIGS[0], 2).labels(3)
    assert scenes.read == ["labels 1"]
    scenes.read.clear()
    Views(scenes, CONFIGS[0], 2).image(3)
    assert scenes.read == ["image 1"]


def test_a_data_set_of_objects_alone_has_no_classes_in_its_views_either() -> None:
    sample = Views(Scenes(classes=False), CONFIGS[0], 2)[1]
    assert sample.semantic is None
    assert sample.instances.ids.max() > 0
    assert VOID not in sample.instances.ids
