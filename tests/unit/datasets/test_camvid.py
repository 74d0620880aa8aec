"""CamVid: conversion of ids, and its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_layouts import HEIGHT, WIDTH, litter, resave, save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.readers.camvid import CATEGORIES, semantic_from_annotation
from vfm_fusion.datasets.registry import categories, index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError


def test_ids() -> None:
    annotation = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert semantic_from_annotation(annotation, Path("a")).ravel().tolist() == [*range(11), 255]


@pytest.mark.parametrize("unknown", [12, 255])
def test_an_unknown_id_is_named(unknown: int) -> None:
    with pytest.raises(LabelError, match=rf"a\.png: id {unknown} "):
        semantic_from_annotation(np.array([[0, unknown]], np.uint8), Path("a.png"))


def test_a_split(camvid_root: Path, camvid_config: FolderConfig) -> None:
    litter(camvid_root)
    frame = index_split(camvid_config, camvid_root, "train").frame
    assert frame["image_id"].tolist() == ["frame 0", "frame 1", "frame 2"]
    assert frame["semantic"].iloc[2] == "trainannot/frame 2.png"
    assert frame["instance"].isna().all()
    dataset = open_dataset(camvid_config, camvid_root, frame)
    sample = dataset[2]
    assert sample.image.shape == (HEIGHT, WIDTH, 3)
    assert sample.image[0, 0, 0] == 2
    assert sample.semantic[:3, 0].tolist() == [255, 10, 3]
    assert sample.instances is None
    assert dataset.categories == categories(camvid_config) == CATEGORIES


def test_missing_annotations(camvid_root: Path, camvid_config: FolderConfig) -> None:
    (camvid_root / "trainannot/frame 1.png").unlink()
    with pytest.raises(DatasetLayoutError, match=r"trainannot/frame 1\.png: is missing"):
        index_split(camvid_config, camvid_root, "train")
    with pytest.raises(DatasetLayoutError, match="val: no such folder"):
        index_split(camvid_config, camvid_root, "val")


@pytest.mark.parametrize("folder", ["train", "trainannot"])
def test_a_file_of_another_case(camvid_root: Path, camvid_config: FolderConfig, folder: str) -> None:
    path = camvid_root / folder / "frame 1.png"
    other = path.rename(path.with_suffix(".PNG"))
    with pytest.raises(DatasetLayoutError, match=f"{other}: the layout names such files"):
        index_split(camvid_config, camvid_root, "train")


def test_annotations_of_the_full_palette(camvid_root: Path, camvid_config: FolderConfig) -> None:
    save(camvid_root / "trainannot/frame 0.png", np.full((HEIGHT, WIDTH), 31, np.uint8))
    with pytest.raises(LabelError, match=r"frame 0\.png: id 31"):
        index_split(camvid_config, camvid_root, "train")


def test_a_label_in_another_depth(camvid_root: Path, camvid_config: FolderConfig) -> None:
    resave(camvid_root / "trainannot/frame 1.png")
    with pytest.raises(CorruptImageError, match=r"frame 1\.png: expected 8 bits, found 16\."):
        index_split(camvid_config, camvid_root, "train")
