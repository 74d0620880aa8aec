"""Cityscapes: conversion of ids, and its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_layouts import HEIGHT, WIDTH, litter, resave, save, write_frame

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.cityscapes import (
    CATEGORIES,
    instances_from_instance_ids,
    semantic_from_label_ids,
)
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

FILE = Path("some_labelIds.png")
# the official table: label id -> train id
OFFICIAL = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12}
OFFICIAL |= {26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}


def test_the_official_classes() -> None:
    assert [c.id for c in CATEGORIES] == list(range(19))
    assert [c.name for c in CATEGORIES if c.isthing] == [
        "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ]  # fmt: skip
    assert CATEGORIES[13].color == (0, 0, 142)


def test_label_ids_become_train_ids() -> None:
    ids = np.arange(34, dtype=np.uint8).reshape(2, 17)
    expected = [OFFICIAL.get(label_id, 255) for label_id in range(34)]
    assert semantic_from_label_ids(ids, FILE).ravel().tolist() == expected


def test_minus_one_is_void() -> None:
    assert semantic_from_label_ids(np.full((1, 1), 255, np.uint8), FILE).tolist() == [[255]]


@pytest.mark.parametrize("unknown", [34, 128, 254])
def test_an_unknown_label_id_is_named(unknown: int) -> None:
    with pytest.raises(LabelError, match=rf"some_labelIds\.png: label id {unknown} "):
        semantic_from_label_ids(np.array([[7, unknown]], np.uint8), FILE)


def test_instance_ids_become_objects() -> None:
    raster = np.array([[7, 26_000, 26_000], [26_001, 24_005, 24], [21, 29_000, 3]], np.int32)
    instances = instances_from_instance_ids(raster, FILE)
    assert len(instances) == 4
    assert instances.categories.tolist() == [11, 11, 13, 13]
    assert instances.crowd.tolist() == [True, False, False, False]
    assert instances.ids.tolist() == [[0, 3, 3], [4, 2, 1], [0, 0, 0]]  # the caravan (29) is not evaluated
    assert instances.ids.dtype == np.int32
    assert instances.categories.dtype == np.int64


def test_no_objects() -> None:
    instances = instances_from_instance_ids(np.full((2, 2), 7, np.int32), FILE)
    assert len(instances) == 0
    assert not instances.ids.any()


@pytest.mark.parametrize("unknown", [34, 999, 34_000, 60_123, -5])
def test_an_unknown_instance_id_is_named(unknown: int) -> None:
    with pytest.raises(LabelError, match="some_labelIds"):
        instances_from_instance_ids(np.array([[7, unknown]], np.int32), FILE)


def test_index_is_sorted_and_relative(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    frame = index_split(cityscapes_config, cityscapes_root, "train").frame
    assert frame["image_id"].tolist() == ["aachen_000000_000019", "zürich_000001_000019"]
    assert frame["image"].iloc[0] == "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
    assert frame["instance"].iloc[1] == "gtFine/train/zürich/zürich_000001_000019_gtFine_instanceIds.png"
    assert set(zip(frame["height"], frame["width"], strict=True)) == {(HEIGHT, WIDTH)}
    assert frame["sha256"].str.len().tolist() == [64, 64]
    assert frame.equals(index_split(cityscapes_config, cityscapes_root, "train").frame)


def test_samples(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    frame = index_split(cityscapes_config, cityscapes_root, "train").frame
    dataset = open_dataset(cityscapes_config, cityscapes_root, frame)
    sample = dataset[1]
    assert len(dataset) == 2
    assert sample.image_id == dataset.ids[1] == "zürich_000001_000019"
    assert sample.image.shape == dataset.image(1).shape == (HEIGHT, WIDTH, 3)
    assert np.unique(sample.semantic).tolist() == [0, 11, 13]
    assert sample.instances.crowd.tolist() == [True, False]
    assert (sample.instances.ids == 2).sum() == 4


def _labels(root: Path, kind: str) -> Path:
    return root / f"gtFine/train/aachen/aachen_000000_000019_gtFine_{kind}.png"


@pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
def test_an_image_without_label(cityscapes_root: Path, cityscapes_config: FolderConfig, kind: str) -> None:
    _labels(cityscapes_root, kind).unlink()
    with pytest.raises(DatasetLayoutError, match=f"aachen_000000_000019_gtFine_{kind}.png: is missing"):
        index_split(cityscapes_config, cityscapes_root, "train")


def test_a_label_without_image(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    image = next(cityscapes_root.glob("leftImg8bit/train/aachen/*"))
    other = image.rename(image.with_suffix(".jpg"))
    message = r"aachen_000000_000019_gtFine_labelIds\.png: has no image, one of 1 such in this split"
    with pytest.raises(DatasetLayoutError, match=rf"{message} \(there is {other}, in another format"):
        index_split(cityscapes_config, cityscapes_root, "train")
    other.unlink()
    with pytest.raises(DatasetLayoutError, match=rf"{message}\. "):
        index_split(cityscapes_config, cityscapes_root, "train")


@pytest.mark.parametrize("pattern", ["leftImg8bit/train/aachen/*", "gtFine/train/aachen/*instanceIds.png"])
def test_a_file_of_another_case(cityscapes_root: Path, cityscapes_config: FolderConfig, pattern: str) -> None:
    path = next(cityscapes_root.glob(pattern))
    other = path.rename(path.with_suffix(".PNG"))
    with pytest.raises(DatasetLayoutError, match=f"{other}: the layout names such files"):
        index_split(cityscapes_config, cityscapes_root, "train")


def test_a_missing_split(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    with pytest.raises(DatasetLayoutError, match="leftImg8bit/val: no such folder"):
        index_split(cityscapes_config, cityscapes_root, "val")


def test_an_empty_split(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    for part in ("leftImg8bit", "gtFine"):
        (cityscapes_root / part / "val").mkdir()
    with pytest.raises(
        DatasetLayoutError, match=rf"^{cityscapes_root}: split 'val' holds no image where .* kind cityscapes"
    ):
        index_split(cityscapes_config, cityscapes_root, "val")


def test_an_id_in_two_cities(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    write_frame(cityscapes_root, "train", "bonn", "aachen_000000_000019")
    with pytest.raises(DatasetLayoutError, match=r"'aachen_000000_000019'.*occurs twice.*aachen/.*bonn/"):
        index_split(cityscapes_config, cityscapes_root, "train")


@pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
def test_a_label_of_another_size(cityscapes_root: Path, cityscapes_config: FolderConfig, kind: str) -> None:
    dtype = np.uint16 if kind == "instanceIds" else np.uint8
    save(_labels(cityscapes_root, kind), np.full((3, 4), 7, dtype))
    with pytest.raises(CorruptImageError, match=rf"{kind}.png: the labels are 3 x 4 .*6 x 8"):
        index_split(cityscapes_config, cityscapes_root, "train")


@pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
def test_a_label_in_another_depth(cityscapes_root: Path, cityscapes_config: FolderConfig, kind: str) -> None:
    expected, found = resave(_labels(cityscapes_root, kind))
    with pytest.raises(CorruptImageError, match=rf"{kind}\.png: expected {expected} bits, found {found}\."):
        index_split(cityscapes_config, cityscapes_root, "train")


def test_a_truncated_label(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    path = _labels(cityscapes_root, "labelIds")
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(CorruptImageError, match=r"aachen_000000_000019_gtFine_labelIds\.png"):
        index_split(cityscapes_config, cityscapes_root, "train")


def test_train_ids_in_place_of_label_ids(cityscapes_root: Path, cityscapes_config: FolderConfig) -> None:
    save(_labels(cityscapes_root, "labelIds"), np.full((HEIGHT, WIDTH), 77, np.uint8))
    with pytest.raises(LabelError, match="label id 77"):
        index_split(cityscapes_config, cityscapes_root, "train")


def test_files_that_systems_leave_beside_data_are_passed_over(
    cityscapes_root: Path, cityscapes_config: FolderConfig
) -> None:
    before = index_split(cityscapes_config, cityscapes_root, "train").frame
    litter(cityscapes_root)
    assert index_split(cityscapes_config, cityscapes_root, "train").frame.equals(before)
