"""Cityscapes in its official layout: ``leftImg8bit/{split}/{city}/`` and ``gtFine/{split}/{city}/``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Instances, RasterDataset
from vfm_fusion.datasets.cityscapes_labels import (
    EVALUATED,
    IMAGE_SUFFIX,
    INSTANCE_FACTOR,
    INSTANCE_SUFFIX,
    LABEL_IDS,
    LABEL_SUFFIX,
    LAST_LABEL_ID,
)
from vfm_fusion.datasets.folders import pair, refuse_other_case, require_folder, visible
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.rasters import GREY_8, GREY_16, read_labels
from vfm_fusion.errors import LabelError

_LAYOUT = "Cityscapes"
_UNSIGNED_MINUS_ONE = {8: 0xFF, 16: 0xFFFF}  # label id -1 (license plate) in an unsigned raster

CATEGORIES = tuple(
    Category(train_id, name, isthing, color) for train_id, (_, name, isthing, color) in enumerate(EVALUATED)
)
"""The 19 evaluated classes."""

_FIRST_THING = min(LABEL_IDS[category.name] for category in CATEGORIES if category.isthing)
_TRAIN_ID = np.full(256, VOID, np.uint8)
_TRAIN_ID[list(LABEL_IDS.values())] = np.arange(len(CATEGORIES))


class Cityscapes(RasterDataset):
    """A split of Cityscapes, or of a data set that is written in its layout."""

    protocol = "cityscapes"
    codes_classes = True

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 19 evaluated classes."""
        return CATEGORIES

    def ignored(self, position: int, semantic: np.ndarray) -> np.ndarray:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.ignored`; here by :func:`official_void`."""
        raster = self.path("instance", position)
        if raster is None:
            return super().ignored(position, semantic)
        return official_void(semantic, read_labels(raster, GREY_16))

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_label_ids(read_labels(path, GREY_8), path)

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        raster = read_labels(path, GREY_16)
        _check_object_codes(raster, path)
        return instances_from_instance_ids(raster, path), classes_from_instance_ids(raster)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the files of a split; colour renderings and polygons are not looked at.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks a label, or a label its image.
    """
    images = require_folder(root, f"leftImg8bit/{split}", _LAYOUT)
    labels = require_folder(root, f"gtFine/{split}", _LAYOUT)
    keys = _keys(images, IMAGE_SUFFIX)
    refuse_other_case(images, f"*/*{IMAGE_SUFFIX}")
    for suffix in (LABEL_SUFFIX, INSTANCE_SUFFIX):
        refuse_other_case(labels, f"*/*{suffix}")
        pair(keys, _keys(labels, suffix), labels, "{}" + suffix, f"{images}/{{}}{IMAGE_SUFFIX}")
    return [
        Files(
            image_id=Path(key).name,
            image=f"leftImg8bit/{split}/{key}{IMAGE_SUFFIX}",
            semantic=f"gtFine/{split}/{key}{LABEL_SUFFIX}",
            instance=f"gtFine/{split}/{key}{INSTANCE_SUFFIX}",
        )
        for key in keys
    ]


def _keys(folder: Path, suffix: str) -> list[str]:
    """``{city}/{image id}`` of the files with a suffix."""
    return [path.as_posix().removesuffix(suffix) for path in visible(folder, f"*/*{suffix}")]


def semantic_from_label_ids(label_ids: np.ndarray, path: Path) -> np.ndarray:
    """Turns official label ids into train ids.

    Args:
        label_ids: ``(H, W)`` uint8, 0..33, or 255 for the label id -1.
        path: the file, for messages.

    Returns:
        ``(H, W)`` uint8, 0..18 and :data:`~vfm_fusion.datasets.base.VOID`.

    Raises:
        LabelError: an id that the official table lacks.
    """
    present = np.flatnonzero(np.bincount(label_ids.ravel(), minlength=256))
    _check_ids(present, _UNSIGNED_MINUS_ONE[8], path)
    return _TRAIN_ID.take(label_ids)


def instances_from_instance_ids(raster: np.ndarray, path: Path) -> Instances:
    """Turns an official ``instanceIds`` raster into objects.

    An id of 1000 or more is one object of the class ``id // 1000``. A smaller id is a class id; where that is
    a thing, the pixels are a group that was not annotated one by one: a crowd.

    Args:
        raster: ``(H, W)`` int32.
        path: the file, for messages.

    Returns:
        Objects in the order of their official ids (crowds first).

    Raises:
        LabelError: a class id that the official table lacks.
    """
    found, position = distinct(raster)
    label_ids = np.where(found >= INSTANCE_FACTOR, found // INSTANCE_FACTOR, found)
    label_ids[found == _UNSIGNED_MINUS_ONE[16]] = -1
    _check_ids(label_ids, -1, path)
    train_ids = np.where(label_ids < 0, VOID, _TRAIN_ID[label_ids])
    is_thing = np.isin(train_ids, [category.id for category in CATEGORIES if category.isthing])
    numbers = np.where(is_thing, np.cumsum(is_thing), 0).astype(np.int32)
    return Instances(
        ids=numbers[position],
        categories=train_ids[is_thing].astype(np.int64),
        crowd=found[is_thing] < INSTANCE_FACTOR,
    )


def classes_from_instance_ids(raster: np.ndarray) -> np.ndarray:
    """The classes that an official ``instanceIds`` raster tells.

    Args:
        raster: ``(H, W)`` int32, of ids that the official table has.

    Returns:
        ``(H, W)`` uint8 train ids.
    """
    return _TRAIN_ID.take(np.where(raster >= INSTANCE_FACTOR, raster // INSTANCE_FACTOR, raster))


def official_void(semantic: np.ndarray, raster: np.ndarray) -> np.ndarray:
    """Marks what cityscapesScripts takes for void when it evaluates instances.

    Objects of classes that are not evaluated (caravans, trailers) are void for mIoU, but where they are
    annotated one by one they are *not* void for AP: a prediction on them is wrong.

    Args:
        semantic: ``(H, W)`` uint8 train ids.
        raster: ``(H, W)`` int32, the official ``instanceIds``: ``class * 1000 + k`` for an object.
    """
    return (semantic == VOID) & ((raster < INSTANCE_FACTOR) | (raster == _UNSIGNED_MINUS_ONE[16]))


def _check_object_codes(raster: np.ndarray, path: Path) -> None:
    """Refuses objects of classes that have none, such as the train ids of things would be."""
    wrong = raster[(raster >= INSTANCE_FACTOR) & (raster < _FIRST_THING * INSTANCE_FACTOR)]
    if wrong.size:
        raise LabelError(
            f"{path}: id {wrong[0]} is an object of label id {wrong[0] // INSTANCE_FACTOR}, a class without "
            "objects. Use the *_instanceIds.png of the release, not *_instanceTrainIds.png."
        )


def _check_ids(label_ids: np.ndarray, minus_one: int, path: Path) -> None:
    unknown = label_ids[((label_ids < 0) | (label_ids > LAST_LABEL_ID)) & (label_ids != minus_one)]
    if unknown.size:
        raise LabelError(
            f"{path}: label id {int(unknown[0])} is not in the official table (0..{LAST_LABEL_ID} and -1). "
            "Use the *_labelIds.png and *_instanceIds.png of the release, not train ids or a colour image."
        )


READER = Reader(CATEGORIES, list_files, Cityscapes)
