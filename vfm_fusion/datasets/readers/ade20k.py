"""ADE20K's scene-parsing benchmark: ``images/`` and ``annotations/`` of ``ADEChallengeData2016``.

Objects come from the folder ``annotations_instance/`` of the instance benchmark where it was unpacked there
too: in its PNGs red is one of 100 classes and green numbers the objects of an image.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Instances, RasterDataset
from vfm_fusion.datasets.folders import list_by_key
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import COLOR_8, GREY_8, read_channels, read_labels
from vfm_fusion.datasets.readers.ade20k_labels import CLASSES
from vfm_fusion.datasets.readers.id_tables import objects_of_codes, train_ids

_FOLDERS = {"train": "training", "val": "validation"}

CATEGORIES = tuple(
    Category(train_id, name, isthing, color) for train_id, (name, isthing, color) in enumerate(CLASSES)
)
"""The 150 classes."""

_THINGS = [category.id for category in CATEGORIES if category.isthing]
_TRAIN_IDS = {0: VOID} | {category.id + 1: category.id for category in CATEGORIES}
_NO_OBJECT = -1
_INSTANCE_CLASSES = {_NO_OBJECT: VOID} | dict(enumerate(_THINGS, start=1))
_FACTOR = 256
_OBJECTS = replace(COLOR_8, meaning="8-bit red (class) and green (object)")


class Ade20k(RasterDataset):
    """A split of ADE20K."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 150 classes."""
        return CATEGORIES

    def _read_semantic(self, path: Path) -> np.ndarray:
        expected = f"ADE20K's 0..{len(CATEGORIES)} (0 = void). Use the annotations of ADEChallengeData2016"
        return train_ids(read_labels(path, GREY_8), _TRAIN_IDS, path, expected)

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        instances = instances_from_channels(read_channels(path, _OBJECTS), path)
        return instances, instances.classes()


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images and annotations.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks an annotation, or an annotation its image.
    """
    folder = _FOLDERS[split]
    has_objects = (root / "annotations_instance").is_dir()
    return list_by_key(
        root,
        "ADE20K (ADEChallengeData2016)",
        f"images/{folder}/{{}}.jpg",
        f"annotations/{folder}/{{}}.png",
        f"annotations_instance/{folder}/{{}}.png" if has_objects else None,
    )


def instances_from_channels(channels: np.ndarray, path: Path) -> Instances:
    """Turns the instance benchmark's colours into objects.

    Args:
        channels: ``(H, W, C)`` uint8; red = class 1..100, green = object 1..255, 0 = none.
        path: the file, for messages.

    Returns:
        Objects in the order of class and number.

    Raises:
        LabelError: an object of class 0, or of one above 100.
    """
    classes, numbers = channels[..., 0].astype(np.int32), channels[..., 1].astype(np.int32)
    codes = np.where(numbers > 0, classes * _FACTOR + numbers, _NO_OBJECT * _FACTOR)
    expected = f"the {len(_THINGS)} classes of the instance benchmark. Use the PNGs of annotations_instance"
    objects, _ = objects_of_codes(codes, _FACTOR, _INSTANCE_CLASSES, _THINGS, path, expected)
    return objects


READER = Reader(CATEGORIES, list_files, Ade20k)
