"""The readers of the COCO family on real photos and annotations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from coco_sample import lay_out_as_coco_2017
from PIL import Image
from pycocotools import mask as reference

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.readers import coco_panoptic, coco_stuff
from vfm_fusion.datasets.registry import index_split, open_dataset

pytestmark = pytest.mark.realdata


@pytest.fixture
def sample_folder(realdata: Path) -> Path:
    return realdata / "images/coco_panoptic_sample"


@pytest.fixture
def coco(tmp_path: Path, realdata: Path) -> Path:
    """The two sample images laid out as COCO 2017."""
    return lay_out_as_coco_2017(realdata, tmp_path / "coco")


def opened(kind: str, root: Path, split: str = "val") -> Dataset:
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, split, workers=2).frame)


def official_masks(path: Path, image_id: int) -> list[tuple[dict, np.ndarray]]:
    content = json.loads(path.read_text())
    rows = [row for row in content["annotations"] if row["image_id"] == image_id]
    return [(row, reference.decode(row["segmentation"]).astype(bool)) for row in rows]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_panoptic_segments_are_those_of_the_detection_format(coco: Path, sample_folder: Path) -> None:
    official = json.loads((sample_folder / "panoptic_coco_categories.json").read_text())
    train_ids = {row["id"]: number for number, row in enumerate(official)}
    dataset = opened("coco_panoptic", coco)
    assert dataset.ids == ("000000142238", "000000439180")
    for sample in dataset:
        expected = np.full(sample.semantic.shape, VOID)
        objects = []
        path = sample_folder / "panoptic_coco_detection_format.json"
        for row, mask in official_masks(path, int(sample.image_id)):
            expected[mask] = train_ids[row["category_id"]]
            if official[train_ids[row["category_id"]]]["isthing"]:
                objects.append((train_ids[row["category_id"]], bool(row["iscrowd"]), mask))
        np.testing.assert_array_equal(sample.semantic, expected)
        found = sample.instances
        assert len(found) == len(objects) > 5
        for position, (category, crowd, mask) in enumerate(objects):
            assert (found.categories[position], found.crowd[position]) == (category, crowd)
            np.testing.assert_array_equal(found.mask(position), mask)
    assert [bool(sample.instances.crowd.any()) for sample in dataset] == [True, True]


def test_the_panoptic_classes_are_the_official_list(sample_folder: Path) -> None:
    official = json.loads((sample_folder / "panoptic_coco_categories.json").read_text())
    found = [(c.name, c.isthing, c.color) for c in coco_panoptic.CATEGORIES]
    assert found == [(row["name"], bool(row["isthing"]), tuple(row["color"])) for row in official]


def test_panoptic_classes_are_those_of_the_two_channel_format(coco: Path, sample_folder: Path) -> None:
    official = json.loads((sample_folder / "panoptic_coco_categories.json").read_text())
    ids = np.array([row["id"] for row in official] + [0] * (VOID + 1 - len(official)))
    for sample in opened("coco_panoptic", coco):
        png = Image.open(sample_folder / f"panoptic_examples_2ch_format/{sample.image_id}.png")
        np.testing.assert_array_equal(ids[sample.semantic], np.array(png)[..., 0])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_instances_are_those_of_pycocotools(coco: Path) -> None:
    dataset = opened("coco_instance", coco)
    panoptic = opened("coco_panoptic", coco)
    for sample, segments in zip(dataset, panoptic, strict=True):
        path = coco / "annotations/instances_val2017.json"
        expected = official_masks(path, int(sample.image_id))
        assert len(sample.instances) == len(expected) > 5
        for position, (row, mask) in enumerate(expected):
            np.testing.assert_array_equal(sample.instances.mask(position), mask)
            assert sample.instances.crowd[position] == row["iscrowd"]
        things = np.where(segments.semantic < 80, segments.semantic, VOID)
        np.testing.assert_array_equal(sample.semantic, things)


@pytest.mark.parametrize(("split", "count"), [("train", 13), ("val", 8)])
def test_every_pixel_map_of_coco_stuff(realdata: Path, split: str, count: int) -> None:
    root = realdata / "images/coco_stuff"
    dataset = opened("coco_stuff", root, split)
    assert len(dataset) == count
    official = {  # some pixel values of the release and their classes
        0: "person", 16: "cat", 61: "chair", 64: "bed", 72: "laptop", 78: "oven", 23: "zebra", 123: "grass",
        156: "sky-other", 158: "snow", 168: "tree", 171: "wall-concrete", 180: "window-other", 181: "wood",
    }  # fmt: skip
    names = [category.name for category in dataset.categories]
    for sample in dataset:
        values = np.array(Image.open(root / f"{split}_label/{sample.image_id}.png"))
        assert np.array_equal(sample.semantic == VOID, values == 255)
        pairs = set(zip(values[values != 255].tolist(), sample.semantic[values != 255].tolist(), strict=True))
        assert len(pairs) == len({value for value, _ in pairs})
        for value, train_id in pairs:
            assert official.get(value, names[train_id]) == names[train_id]
        assert sample.instances is None


def test_coco_stuff_and_the_panoptic_task_agree_on_the_names_of_stuff() -> None:
    stuff = {category.name for category in coco_stuff.CATEGORIES if not category.isthing}
    own = [c.name for c in coco_panoptic.CATEGORIES if not c.isthing and not c.name.endswith("-merged")]
    assert set(own) <= stuff
    assert len(own) == 36
