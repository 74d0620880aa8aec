"""What the data sets of street scenes share that use the 19 classes of Cityscapes in rasters of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.rasters import read_packed_ids
from vfm_fusion.errors import CorruptImageError, LabelError

_THINGS = [category.id for category in CATEGORIES if category.isthing]


class StreetScenes(Dataset):
    """A split with the classes of Cityscapes, which the field evaluates by its official scripts."""

    protocol = "cityscapes"

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 19 classes of Cityscapes."""
        return CATEGORIES


class NumberedScenes(StreetScenes):
    """A split whose object raster only numbers the objects; their classes are those of the class raster."""

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`.

        Raises:
            CorruptImageError: also, the two rasters differ in size.
            LabelError: also, objects are numbered where there is no thing.
        """
        semantic_path, instance_path = self.path("semantic", position), self.path("instance", position)
        if semantic_path is None:
            return None, None
        semantic = self._read_semantic(semantic_path)
        if instance_path is None:
            return semantic, None
        numbers = read_packed_ids(instance_path)
        if numbers.shape != semantic.shape:
            raise CorruptImageError(
                f"{instance_path}: is {numbers.shape[0]} x {numbers.shape[1]} pixels (height x width), "
                f"{semantic_path} {semantic.shape[0]} x {semantic.shape[1]}. Take both from the same release "
                "of the data set."
            )
        objects = objects_from_numbers(numbers, semantic)
        if not objects and numbers.any():
            raise LabelError(
                f"{semantic_path}: has no pixel of a thing, but {instance_path} numbers objects. One of the "
                "two holds the ids of another scheme (such as train ids in place of label ids), or is of "
                "another image. Take both from the same release of the data set."
            )
        return semantic, objects

    @abstractmethod
    def _read_semantic(self, path: Path) -> np.ndarray:
        """Reads a class raster: ``(H, W)`` uint8 train ids."""


def refuse_train_ids(label_ids: np.ndarray, path: Path) -> None:
    """Refuses train ids where label ids are meant and no other raster tells the class.

    Label ids above 18 are everywhere (vegetation, sky, vehicles), and 255, a license plate among them, does
    not occur without a vehicle; but among train ids 255 is void.

    Args:
        label_ids: ``(H, W)`` uint8.
        path: the file, for messages.

    Raises:
        LabelError: there are ids, none above 18, and 255.
    """
    *ids, last = np.flatnonzero(np.bincount(label_ids.ravel())).tolist()
    if last == VOID and ids and ids[-1] < len(CATEGORIES):
        raise LabelError(
            f"{path}: has 255 and no other id above {ids[-1]}, as only rasters of train ids have. Use the "
            "raster of label ids of the data set."
        )


def semantic_from_train_ids(
    raster: np.ndarray, path: Path, also_void: Collection[int] = frozenset()
) -> np.ndarray:
    """Checks a raster that holds train ids already.

    Args:
        raster: ``(H, W)`` uint8: 0..18, or 255 for void.
        path: the file, for messages.
        also_void: further ids of the data set that mean void.

    Returns:
        ``(H, W)`` uint8, 0..18 and :data:`~vfm_fusion.datasets.base.VOID`.

    Raises:
        LabelError: another id.
    """
    table = np.full(256, VOID, np.uint8)
    table[: len(CATEGORIES)] = np.arange(len(CATEGORIES))
    present = np.flatnonzero(np.bincount(raster.ravel(), minlength=256))
    unknown = [int(i) for i in present if i >= len(CATEGORIES) and i != VOID and i not in also_void]
    if unknown:
        voids = ", ".join(map(str, sorted({VOID, *also_void})))
        raise LabelError(
            f"{path}: id {unknown[0]} is not a train id (0..{len(CATEGORIES) - 1}; void: {voids}). Use the "
            "data set's raster of train ids, not of label ids or colours."
        )
    return table[raster]


def objects_from_numbers(numbers: np.ndarray, semantic: np.ndarray) -> Instances:
    """Makes objects of the pixels that share a number and a thing class.

    A number on pixels of several thing classes gives one object for each, such as a rider and the bicycle.
    The pixels of a thing class that have no number (0) are one crowd: they were not told apart.

    Args:
        numbers: ``(H, W)`` integers, 0 = no number.
        semantic: ``(H, W)`` uint8 train ids.

    Returns:
        Objects, crowds first, then in the order of number and class.
    """
    is_thing = np.isin(semantic, _THINGS)
    pairs, position = distinct(numbers[is_thing].astype(np.int64) * 256 + semantic[is_thing])
    ids = np.zeros(semantic.shape, np.int32)
    ids[is_thing] = position + 1
    return Instances(ids=ids, categories=pairs % 256, crowd=pairs < 256)
