"""Cityscapes in its official layout: ``leftImg8bit/{split}/{city}/`` and ``gtFine/{split}/{city}/``.

Classes, ids and colours are those of the official label table (``cityscapesscripts/helpers/labels.py``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.images import read_labels
from vfm_fusion.datasets.index import Files
from vfm_fusion.datasets.layout import pair, require_folder
from vfm_fusion.errors import LabelError

_LAYOUT = "Cityscapes"
_IMAGE = "_leftImg8bit.png"
_SEMANTIC = "_gtFine_labelIds.png"
_INSTANCE = "_gtFine_instanceIds.png"

# (label id, name, is a thing, colour), in the order of the train ids
_TRAIN_CLASSES = (
    (7, "road", False, (128, 64, 128)),
    (8, "sidewalk", False, (244, 35, 232)),
    (11, "building", False, (70, 70, 70)),
    (12, "wall", False, (102, 102, 156)),
    (13, "fence", False, (190, 153, 153)),
    (17, "pole", False, (153, 153, 153)),
    (19, "traffic light", False, (250, 170, 30)),
    (20, "traffic sign", False, (220, 220, 0)),
    (21, "vegetation", False, (107, 142, 35)),
    (22, "terrain", False, (152, 251, 152)),
    (23, "sky", False, (70, 130, 180)),
    (24, "person", True, (220, 20, 60)),
    (25, "rider", True, (255, 0, 0)),
    (26, "car", True, (0, 0, 142)),
    (27, "truck", True, (0, 0, 70)),
    (28, "bus", True, (0, 60, 100)),
    (31, "train", True, (0, 80, 100)),
    (32, "motorcycle", True, (0, 0, 230)),
    (33, "bicycle", True, (119, 11, 32)),
)
_LAST_LABEL_ID = 33
_UNSIGNED_MINUS_ONE = {8: 0xFF, 16: 0xFFFF}  # label id -1 (license plate) in an unsigned raster
_INSTANCE_FACTOR = 1000

CATEGORIES = tuple(
    Category(train_id, name, isthing, color)
    for train_id, (_, name, isthing, color) in enumerate(_TRAIN_CLASSES)
)
"""The 19 evaluated classes."""

LABEL_IDS: dict[str, int] = {name: label_id for label_id, name, _, _ in _TRAIN_CLASSES}
"""Official label id of each evaluated class."""

_TRAIN_ID = np.full(_LAST_LABEL_ID + 1, VOID, np.uint8)
_TRAIN_ID[list(LABEL_IDS.values())] = np.arange(len(CATEGORIES))


class Cityscapes(Dataset):
    """A split of Cityscapes, or of a data set that is written in its layout."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 19 evaluated classes."""
        return CATEGORIES

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_label_ids(read_labels(path, np.uint8), path)

    def _read_instances(self, path: Path) -> Instances:
        return instances_from_instance_ids(read_labels(path, np.int32), path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the files of a split; colour renderings and polygons are not looked at.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks a label, or a label its image.
    """
    images = require_folder(root, f"leftImg8bit/{split}", _LAYOUT)
    labels = require_folder(root, f"gtFine/{split}", _LAYOUT)
    keys = _keys(images, _IMAGE)
    for suffix in (_SEMANTIC, _INSTANCE):
        pair(keys, _keys(labels, suffix), labels, "{}" + suffix)
    return [
        Files(
            image_id=Path(key).name,
            image=f"leftImg8bit/{split}/{key}{_IMAGE}",
            semantic=f"gtFine/{split}/{key}{_SEMANTIC}",
            instance=f"gtFine/{split}/{key}{_INSTANCE}",
        )
        for key in keys
    ]


def _keys(folder: Path, suffix: str) -> list[str]:
    """``{city}/{image id}`` of the files with a suffix."""
    return [path.relative_to(folder).as_posix().removesuffix(suffix) for path in folder.glob(f"*/*{suffix}")]


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
    table = np.full(256, VOID, np.uint8)
    table[: len(_TRAIN_ID)] = _TRAIN_ID
    present = np.flatnonzero(np.bincount(label_ids.ravel(), minlength=256))
    _check_ids(present, _UNSIGNED_MINUS_ONE[8], path)
    return table[label_ids]


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
    found, position = np.unique(raster, return_inverse=True)
    label_ids = np.where(found >= _INSTANCE_FACTOR, found // _INSTANCE_FACTOR, found)
    label_ids[found == _UNSIGNED_MINUS_ONE[16]] = -1
    _check_ids(label_ids, -1, path)
    train_ids = np.where(label_ids < 0, VOID, _TRAIN_ID[label_ids])
    is_thing = np.isin(train_ids, [category.id for category in CATEGORIES if category.isthing])
    numbers = np.where(is_thing, np.cumsum(is_thing), 0).astype(np.int32)
    return Instances(
        ids=numbers[position.reshape(raster.shape)],
        categories=train_ids[is_thing].astype(np.int64),
        crowd=found[is_thing] < _INSTANCE_FACTOR,
    )


def _check_ids(label_ids: np.ndarray, minus_one: int, path: Path) -> None:
    unknown = label_ids[((label_ids < 0) | (label_ids > _LAST_LABEL_ID)) & (label_ids != minus_one)]
    if unknown.size:
        raise LabelError(
            f"{path}: label id {int(unknown[0])} is not in the official table (0..{_LAST_LABEL_ID} and -1). "
            "Use the *_labelIds.png and *_instanceIds.png of the release, not train ids or a colour image."
        )
