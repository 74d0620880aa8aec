"""Label images whose values stand for classes by a table, and colours for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Instances
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.errors import LabelError


def voc_color(number: int) -> tuple[int, int, int]:
    """Spreads the bits of a number over red, green and blue, the lowest bits on the brightest steps.

    Args:
        number: 0..255; 0 is black, and no two have the same colour.

    Returns:
        (red, green, blue), 0..255 each.
    """
    channels = [0, 0, 0]
    for step in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * step + channel) & 1) << (7 - step)
    red, green, blue = channels
    return red, green, blue


def train_ids(raster: np.ndarray, table: Mapping[int, int], path: Path, expected: str) -> np.ndarray:
    """Looks every pixel's id up in a table.

    Args:
        raster: ``(H, W)`` uint8 ids of the data set.
        table: id to train id, or :data:`~vfm_fusion.datasets.base.VOID`.
        path: the file, for messages.
        expected: says in messages which ids the data set has.

    Returns:
        ``(H, W)`` uint8 train ids.

    Raises:
        LabelError: an id that the table lacks.
    """
    present = np.flatnonzero(np.bincount(raster.ravel(), minlength=256))
    for found in present.tolist():
        if found not in table:
            raise LabelError(f"{path}: id {found} is not one of {expected}.")
    return _lookup(table)[raster]


def classes_of_codes(codes: np.ndarray, factor: int, table: Mapping[int, int]) -> np.ndarray:
    """Looks the ids of codes ``id * factor + number`` up in a table that has them all.

    Args:
        codes: ``(H, W)`` int32.
        factor: how many numbers a class has.
        table: as in :func:`train_ids`.

    Returns:
        ``(H, W)`` uint8 train ids.
    """
    return _lookup(table).take(codes // factor)


def objects_of_codes(
    codes: np.ndarray,
    factor: int,
    table: Mapping[int, int],
    things: Collection[int],
    path: Path,
    expected: str,
) -> tuple[Instances, np.ndarray]:
    """Splits codes ``id * factor + number`` into the objects of thing classes.

    Args:
        codes: ``(H, W)`` int32.
        factor: how many numbers a class has.
        table: as in :func:`train_ids`.
        things: train ids of the classes that have objects.
        path: as in :func:`train_ids`.
        expected: as in :func:`train_ids`.

    Returns:
        The objects in the order of their codes, none of them a crowd; and the number of each, ``(n,)`` int64.

    Raises:
        LabelError: an id that the table lacks.
    """
    found, places = distinct(codes)
    ids = found // factor
    for unknown in ids[~np.isin(ids, list(table))]:
        raise LabelError(f"{path}: id {unknown} is not one of {expected}.")
    classes = np.array([table[value] for value in ids.tolist()], np.int64)
    is_object = np.isin(classes, list(things))
    numbers = np.where(is_object, np.cumsum(is_object), 0).astype(np.int32)
    objects = Instances(
        ids=numbers[places],
        categories=classes[is_object],
        crowd=np.zeros(int(is_object.sum()), bool),
    )
    return objects, (found % factor)[is_object].astype(np.int64)


def _lookup(table: Mapping[int, int]) -> np.ndarray:
    lookup = np.full(256, VOID, np.uint8)
    lookup[list(table)] = list(table.values())
    return lookup
