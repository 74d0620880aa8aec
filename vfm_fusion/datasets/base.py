"""What every data set looks like to the rest of the project."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from vfm_fusion.config.datasets import Protocol
from vfm_fusion.datasets.images import read_image
from vfm_fusion.errors import CorruptImageError, LabelError

VOID = 255
"""Train id of pixels that belong to no evaluated class."""


@dataclass(frozen=True)
class Category:
    """An evaluated class.

    Attributes:
        id: train id, contiguous from 0.
        name: the data set's own name.
        isthing: True for a countable class, which has instances.
        color: (red, green, blue), 0..255, of the data set's official palette.
    """

    id: int
    name: str
    isthing: bool
    color: tuple[int, int, int]


@dataclass(frozen=True)
class Instances:
    """The annotated objects of one image; thing classes only.

    An object may draw no pixel, as a polygon smaller than one: nothing can be learnt from it, and COCO's AP
    counts it as missed.

    Attributes:
        ids: ``(H, W)`` int32; 0 = no object, object k is k + 1. Where objects overlap, the front one.
        categories: ``(n,)`` int64 train ids.
        crowd: ``(n,)`` bool; a region of things that were not annotated one by one (a Cityscapes group). It
            is ignored in AP.
        covered: ``(L, H, W)`` int32, numbered like ``ids``: what front objects cover of others, in as many
            layers as needed. None where the data set's objects never overlap.
        areas: ``(n,)`` pixels as the data set states them, for COCO's sizes; None: those of the masks.
    """

    ids: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray
    covered: np.ndarray | None = None
    areas: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def layers(self) -> tuple[np.ndarray, ...]:
        """All layers of object numbers, ``(H, W)`` int32 each, front first."""
        return (self.ids, *([] if self.covered is None else self.covered))

    def classes(self) -> np.ndarray:
        """The class of the front object of each pixel: ``(H, W)`` uint8 train ids, :data:`VOID` elsewhere."""
        return np.array([VOID, *self.categories], np.uint8).take(self.ids)

    def mask(self, position: int) -> np.ndarray:
        """The whole annotated mask of object ``position``, ``(H, W)`` bool, whatever covers it."""
        mask = self.ids == position + 1
        if self.covered is not None:
            mask |= (self.covered == position + 1).any(axis=0)
        return mask


@dataclass(frozen=True)
class Sample:
    """One image with its labels.

    Attributes:
        image_id: unique within the split.
        image: ``(H, W, 3)`` uint8 RGB.
        semantic: ``(H, W)`` uint8 train ids, :data:`VOID` elsewhere; None when the split has no labels.
        instances: the objects; None when the data set does not annotate them.
    """

    image_id: str
    image: np.ndarray
    semantic: np.ndarray | None
    instances: Instances | None


class Dataset(ABC):
    """A split: images and labels in the order of its index.

    Args:
        root: folder that the paths of the index are relative to.
        index: see :mod:`vfm_fusion.datasets.index`.

    Attributes:
        protocol: whose rules objects are evaluated by, unless the configuration asks for others': those of
            the data set's own benchmark, or of the field.
    """

    protocol: ClassVar[Protocol] = "coco"

    def __init__(self, root: Path, index: pd.DataFrame) -> None:
        self._root = root
        self._index = index
        self.ids: tuple[str, ...] = tuple(index["image_id"])

    @property
    @abstractmethod
    def categories(self) -> tuple[Category, ...]:
        """The evaluated classes, in the order of their ids."""

    @abstractmethod
    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """Decodes only the labels: ``(H, W)`` uint8 train ids, and the objects; None where there are none.

        Raises:
            CorruptImageError: a file cannot be decoded.
            LabelError: a file holds an id that the data set does not define, or contradicts another.
            DatasetLayoutError: a file is missing.
        """

    def ignored(self, position: int, semantic: np.ndarray) -> np.ndarray:
        """Marks where the Cityscapes protocol ignores predicted objects: the void pixels.

        Args:
            position: the image.
            semantic: its ``(H, W)`` uint8 train ids.

        Returns:
            ``(H, W)`` bool.
        """
        return semantic == VOID

    def left_out(self, position: int) -> Mapping[str, int]:
        """Counts what the settings leave out of the labels of an image, by what it is."""
        return {}

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, position: int) -> tuple[int, int]:
        """(height, width) of an image in pixels, as its index says."""
        row = self._index.iloc[position]
        return int(row["height"]), int(row["width"])

    def image(self, position: int) -> np.ndarray:
        """Decodes only the image: ``(H, W, 3)`` uint8 RGB.

        Raises:
            CorruptImageError: the file cannot be decoded.
            DatasetLayoutError: the file is missing.
        """
        is_labelled = self.path("semantic", position) or self.path("instance", position)
        return read_image(self.path("image", position), self.size_of(position) if is_labelled else None)

    def __getitem__(self, position: int) -> Sample:
        """Decodes an image and its labels.

        Raises:
            CorruptImageError: a file cannot be decoded, or a label's size is not the image's.
            LabelError: a label file holds an id that the data set does not define, or contradicts another.
            DatasetLayoutError: a file is missing.
        """
        semantic, instances = self.labels(position)
        image = read_image(self.path("image", position), _size(semantic, instances))
        if semantic is not None:
            _check_size(self.path("semantic", position), semantic, image, self.ids[position])
        if instances is not None:
            _check_size(self.path("instance", position), instances.ids, image, self.ids[position])
        return Sample(self.ids[position], image, semantic, instances)

    def path(self, column: str, position: int) -> Path | None:
        """The file of an image in a column of the index (``image``, ``semantic``, ``instance``), or None."""
        relative = self._index[column].iloc[position]
        return None if pd.isna(relative) else self._root / relative


class RasterDataset(Dataset):
    """A split whose labels are rasters beside the images: one of classes, perhaps one of objects.

    Attributes:
        codes_classes: whether the raster of objects has the class of every pixel, not only of objects.
    """

    codes_classes: ClassVar[bool] = False

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`Dataset.labels`."""
        semantic_path, instance_path = self.path("semantic", position), self.path("instance", position)
        semantic = self._read_semantic(semantic_path) if semantic_path else None
        if instance_path is None:
            return semantic, None
        instances, classes = self._read_instances(instance_path)
        if semantic is not None and semantic.shape == classes.shape:
            is_told = (classes != VOID) | (self.codes_classes & (semantic != VOID))
            _check_agreement(semantic, classes, is_told, (semantic_path, instance_path))
        return semantic, instances

    @abstractmethod
    def _read_semantic(self, path: Path) -> np.ndarray:
        """Reads a label file: ``(H, W)`` uint8 train ids."""

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        """Reads an instance file; a data set without objects has none.

        Returns:
            The objects; and the classes that this file tells by itself, ``(H, W)`` uint8 train ids,
            :data:`VOID` where it tells none.
        """
        raise LabelError(f"{path}: this data set has no instance labels; its index must leave them null.")


def _size(semantic: np.ndarray | None, instances: Instances | None) -> tuple[int, int] | None:
    """(H, W) of an image's labels; None where there are none."""
    if semantic is not None:
        return semantic.shape
    return None if instances is None else instances.ids.shape


def _check_agreement(
    semantic: np.ndarray, classes: np.ndarray, is_told: np.ndarray, paths: tuple[Path, Path]
) -> None:
    """Refuses two rasters of one image that differ in the class of most of the pixels where both tell it.

    A few may differ: not every data set drew both from the same outlines.
    """
    told, differ = np.count_nonzero(is_told), np.count_nonzero(is_told & (classes != semantic))
    if 2 * differ > told:
        raise LabelError(
            f"{paths[0]}: contradicts {paths[1]} in the class of {differ} of {told} pixels. One of "
            "the two holds the ids of another scheme (such as train ids in place of label ids), or is of "
            "another image. Take both from the same release of the data set."
        )


def _check_size(path: Path | None, labels: np.ndarray, image: np.ndarray, image_id: str) -> None:
    if labels.shape != image.shape[:2]:
        raise CorruptImageError(
            f"{path}: the labels are {labels.shape[0]} x {labels.shape[1]} pixels (height x width), their "
            f"image {image_id!r} is {image.shape[0]} x {image.shape[1]}. Take both from the same release of "
            "the data set."
        )


def subset(count: int, limit: int | None) -> list[int]:
    """Returns ``limit`` evenly spaced positions out of ``count``, all of them when there are no more.

    >>> subset(10, 4)
    [0, 2, 5, 7]
    """
    if limit is None or limit >= count:
        return list(range(count))
    return [position * count // limit for position in range(limit)]
