"""ACDC: four conditions, and its rasters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_layouts import save
from tiny_streets import TINY, packed, read, write_acdc_frame

from vfm_fusion.datasets.base import VOID
from vfm_fusion.errors import DatasetLayoutError, LabelError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    TINY["acdc"].write(tmp_path, "GOPR0475_frame_000041")
    return tmp_path


def test_classes_and_objects(root: Path) -> None:
    dataset = read("acdc", root)
    sample = dataset[dataset.ids.index("night_GOPR0475_frame_000041")]
    assert sample.semantic.tolist() == [[0, 13, 13, VOID], [11, 11, 11, 10]]
    assert sample.instances.ids.tolist() == [[0, 3, 4, 0], [2, 1, 1, 0]]
    assert sample.instances.categories.tolist() == [11, 11, 13, 13]
    assert sample.instances.crowd.tolist() == [True, False, False, False]


def test_every_condition_is_read_and_named(root: Path) -> None:
    name = "GOPR0475_frame_000041"
    assert read("acdc", root).ids == (f"fog_{name}", f"night_{name}", f"rain_{name}", f"snow_{name}")


def test_reference_images_are_not_read(root: Path) -> None:
    write_acdc_frame(root, "fog", "fog1", "GOPR0475_frame_000042", split="train_ref")
    assert len(read("acdc", root)) == 4


def test_a_missing_condition(root: Path) -> None:
    shutil.rmtree(root / "rgb_anon/snow")
    with pytest.raises(DatasetLayoutError, match="rgb_anon/snow/train: no such folder"):
        read("acdc", root)


def test_an_id_in_two_sequences(root: Path) -> None:
    write_acdc_frame(root, "fog", "fog2", "GOPR0475_frame_000041")
    with pytest.raises(DatasetLayoutError, match=r"'fog_GOPR0475_frame_000041'.*occurs twice.*fog1/.*fog2/"):
        read("acdc", root)


def test_a_label_in_the_folder_of_another_sequence(root: Path) -> None:
    labels = root / "gt/fog/train"
    (labels / "fog1").rename(labels / "fog9")
    with pytest.raises(DatasetLayoutError, match=r"gt/fog/train/fog1/GOPR0475_frame_000041_gt_labelTrain"):
        read("acdc", root)


def test_without_the_archive_of_objects(root: Path) -> None:
    shutil.rmtree(root / "gt_panoptic")
    assert read("acdc", root)[0].instances is None


def test_objects_of_an_unknown_class(root: Path) -> None:
    path = root / "gt_panoptic/rain/train/rain1/GOPR0475_frame_000041_gt_panoptic.png"
    save(path, packed(np.full((2, 4), 77_001)))
    with pytest.raises(LabelError, match=r"_gt_panoptic\.png: label id 77 is not"):
        read("acdc", root)
