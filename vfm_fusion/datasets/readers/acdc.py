"""ACDC in its official layout: ``{type}/{condition}/{split}/{sequence}/``; fog, night, rain and snow.

The types are ``rgb_anon``, ``gt`` (train ids) and, an archive of its own, ``gt_panoptic``, whose colours are
Cityscapes' instance ids: red + 256 green + 65536 blue. The reference images in good weather are not read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import Instances, RasterDataset
from vfm_fusion.datasets.cityscapes import (
    CATEGORIES,
    classes_from_instance_ids,
    instances_from_instance_ids,
)
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, read_labels, read_packed_ids
from vfm_fusion.datasets.readers.street_scenes import StreetScenes, semantic_from_train_ids

_LAYOUT = "ACDC"
_CONDITIONS = ("fog", "night", "rain", "snow")


class Acdc(StreetScenes, RasterDataset):
    """ACDC."""

    codes_classes = True

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_train_ids(read_labels(path, GREY_8), path)

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        raster = read_packed_ids(path)
        return instances_from_instance_ids(raster, path), classes_from_instance_ids(raster)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of a split in all four conditions; without objects where there is no ``gt_panoptic``.

    Returns:
        The files; an image id starts with its condition, such as ``fog_GOPR0475_frame_000041``.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks a label, or a label its image.
    """
    require_split(root, split, ("train", "val"), _LAYOUT)
    return [
        replace(file, image_id=f"{condition}_{file.image_id}")
        for condition in _CONDITIONS
        for file in _list_condition(root, f"{condition}/{split}")
    ]


def _list_condition(root: Path, part: str) -> list[Files]:
    panoptic = f"gt_panoptic/{part}/{{}}_gt_panoptic.png" if (root / "gt_panoptic").is_dir() else None
    return list_by_key(
        root,
        _LAYOUT,
        f"rgb_anon/{part}/{{}}_rgb_anon.png",
        f"gt/{part}/{{}}_gt_labelTrainIds.png",
        panoptic,
        depth=1,
    )


READER = Reader(CATEGORIES, list_files, Acdc)
