"""Rasters of the user's own that tell objects apart, and the classes that masks give these objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfm_fusion.config.own_folder_data import FolderObjects
from vfm_fusion.datasets.base import VOID, Category, Instances
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.rasters import NUMBERS, packed, read_colors, read_labels, unpacked
from vfm_fusion.datasets.readers.click_sets import BACKGROUND, OBJECT
from vfm_fusion.errors import CorruptImageError, LabelError

_MANY = 16
"""So few objects may be specks or thin lines."""


@dataclass(frozen=True)
class ObjectRaster:
    """What a raster tells.

    Attributes:
        path: the file.
        ids: ``(H, W)`` int32; 0 = no object, object k is k + 1, in the order of their values.
        names: each object's value or colour in the file.
        undecided: ``(H, W)`` bool.
    """

    path: Path
    ids: np.ndarray
    names: tuple[str, ...]
    undecided: np.ndarray

    def alone(self) -> tuple[np.ndarray, Instances]:
        """Returns background and objects as classes, ``(H, W)`` uint8, and the objects, all of one class."""
        semantic = np.where(self.ids > 0, OBJECT, BACKGROUND).astype(np.uint8)
        semantic[self.undecided] = VOID
        return semantic, _instances(self.ids, np.full(len(self.names), OBJECT))


def read_objects(path: Path, config: FolderObjects) -> ObjectRaster:
    """Reads a raster of objects.

    Raises:
        CorruptImageError: it cannot be decoded, or holds ids in place of colours, or colours in place of ids.
        LabelError: its values lie scattered, so that they are shades and no objects.
        DatasetLayoutError: it is missing.
    """
    if config.by == "color":
        raster, ignored = packed(read_colors(path)), packed(np.array(config.ignore).reshape(-1, 3))
    else:
        raster, ignored = read_labels(path, NUMBERS), np.array(config.ignore)
    values, places = distinct(raster)
    is_undecided = np.isin(values, ignored)
    is_object = (values != 0) & ~is_undecided
    ids = np.where(is_object, np.cumsum(is_object), 0).astype(np.int32)[places]
    _check_shapes(ids, int(is_object.sum()), path)
    names = (unpacked(value) if config.by == "color" else value for value in values[is_object].tolist())
    return ObjectRaster(path, ids, tuple(map(str, names)), is_undecided[places])


def with_classes(
    raster: ObjectRaster, semantic: np.ndarray, mask: Path, classes: Sequence[Category]
) -> tuple[np.ndarray, Instances, int]:
    """Gives every object the class that most of its pixels have in a mask of classes.

    Args:
        raster: the objects.
        semantic: ``(H, W)`` uint8 train ids of the mask.
        mask: its file, for messages.
        classes: the data set's classes.

    Returns:
        The train ids, void where objects were not decided; the objects; and how many were left out, since all
        of their pixels are void.

    Raises:
        CorruptImageError: raster and mask differ in size.
        LabelError: no class has most of an object's pixels, or its class has no objects by the settings.
    """
    if semantic.shape != raster.ids.shape:
        raise CorruptImageError(
            f"{raster.path}: is {raster.ids.shape[0]} x {raster.ids.shape[1]} pixels (height x width), "
            f"{mask} is {semantic.shape[0]} x {semantic.shape[1]}. Both have to be as large as the image."
        )
    semantic = np.where(raster.undecided, VOID, semantic).astype(np.uint8)
    count, of_class = len(raster.names), np.minimum(semantic, len(classes)).astype(np.int64)
    pairs = raster.ids * np.int64(len(classes) + 1) + of_class
    pixels = np.bincount(pairs.ravel(), minlength=(count + 1) * (len(classes) + 1))
    pixels = pixels.reshape(count + 1, -1)[1:, : len(classes)]  # (objects, classes)
    is_kept = pixels.any(axis=1)
    categories = pixels.argmax(axis=1)
    for position in np.flatnonzero(is_kept):
        _check_class(raster, position, pixels[position], mask, classes)
    numbers = np.where(is_kept, np.cumsum(is_kept), 0).astype(np.int32)
    ids = np.concatenate([np.zeros(1, np.int32), numbers])[raster.ids]
    return semantic, _instances(ids, categories[is_kept]), int((~is_kept).sum())


def _instances(ids: np.ndarray, categories: np.ndarray) -> Instances:
    return Instances(ids, categories.astype(np.int64), np.zeros(len(categories), bool))


def _check_class(
    raster: ObjectRaster, position: int, pixels: np.ndarray, mask: Path, classes: Sequence[Category]
) -> None:
    """Checks that most pixels of an object, void ones left out, are of one class, and one with objects."""
    found = classes[int(pixels.argmax())]
    where = f"{raster.path}: object {raster.names[position]}"
    share = 100 * int(pixels.max()) / int(pixels.sum())
    if share <= 50:
        raise LabelError(
            f"{where} is of no class: the one that most of its pixels have in {mask} is {found.name!r}, with "
            f"{share:.0f} %. One of the two is of another image, or the object has to be drawn as several."
        )
    if not found.isthing:
        raise LabelError(
            f"{where} is of class {found.name!r} in {mask} ({share:.0f} % of its pixels), which has no "
            f"objects by the settings. Add it to objects.classes of the data set, or correct the files."
        )


def _check_shapes(ids: np.ndarray, count: int, path: Path) -> None:
    """Refuses shades that would pass for objects: those of a smooth rim, or of a photo.

    Of most pixels of an object, a neighbour below or to the right belongs to it too.
    """
    if count < _MANY:
        return
    pixels = np.bincount(ids.ravel(), minlength=count + 1)[1:]
    joined = [
        np.bincount(ids[here][ids[here] == ids[there]], minlength=count + 1)[1:]
        for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))
    ]
    scattered = int((2 * np.maximum(*joined) < pixels).sum())
    if 2 * scattered > count:
        raise LabelError(
            f"{path}: {scattered} of its {count} values lie scattered over single pixels, as the shades of a "
            "smooth rim or of a photo do; each would be an object. Write one value or colour for an object, "
            "without antialiasing."
        )
