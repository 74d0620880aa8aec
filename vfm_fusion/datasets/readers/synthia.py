"""SYNTHIA-RAND-CITYSCAPES in its official layout: ``RGB/`` and ``GT/LABELS/``; all is for training.

A label file is a 16-bit PNG: red is the class, green the number of an object that moves. The classes are
mapped to train ids as by the benchmarks of domain adaptation (``valeoai/ADVENT``), to the 16 that they
evaluate: terrain, truck and train become void.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Instances
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import LabelFormat, read_channels
from vfm_fusion.datasets.readers.street_scenes import StreetScenes, objects_from_numbers
from vfm_fusion.errors import LabelError

_LAYOUT = "SYNTHIA-RAND-CITYSCAPES"
_NAMES: dict[int, str] = {
    1: "sky",
    2: "building",
    3: "road",
    4: "sidewalk",
    5: "fence",
    6: "vegetation",
    7: "pole",
    8: "car",
    9: "traffic sign",
    10: "person",
    11: "bicycle",
    12: "motorcycle",
    15: "traffic light",
    17: "rider",
    19: "bus",
    21: "wall",
}
"""The name in Cityscapes of each class that is evaluated. Void are 0, parking slots (13), road works (14),
terrain (16), trucks (18), trains (20) and lane markings (22)."""

_LABELS = LabelFormat((16,), ("colour",), "three channels (class, object, none) of 16 bits")
_LAST_CLASS = 22
_TRAIN_IDS = {category.name: category.id for category in CATEGORIES}
_TABLE = np.full(_LAST_CLASS + 1, VOID, np.uint8)
_TABLE[list(_NAMES)] = [_TRAIN_IDS[name] for name in _NAMES.values()]


class Synthia(StreetScenes):
    """SYNTHIA-RAND-CITYSCAPES."""

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`."""
        path = self.path("semantic", position)
        if path is None:
            return None, None
        channels = read_channels(path, _LABELS)
        semantic = semantic_from_classes(channels[..., 0], path)
        return semantic, objects_from_numbers(channels[..., 1], semantic)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists all images.

    Raises:
        DatasetLayoutError: not the split ``train``, a folder is missing, an image lacks its label, or a label
            its image.
    """
    require_split(root, split, ("train",), _LAYOUT)
    labels = "GT/LABELS/{}.png"
    return list_by_key(root, _LAYOUT, "RGB/{}.png", labels, labels, derived="_labelTrainIds.png")


def semantic_from_classes(classes: np.ndarray, path: Path) -> np.ndarray:
    """Turns SYNTHIA's classes into train ids.

    Args:
        classes: ``(H, W)`` uint16, 0..22.
        path: the file, for messages.

    Returns:
        ``(H, W)`` uint8: the train ids of 16 classes, and :data:`~vfm_fusion.datasets.base.VOID`.

    Raises:
        LabelError: a class above 22.
    """
    highest = int(classes.max())
    if highest > _LAST_CLASS:
        raise LabelError(
            f"{path}: class {highest} is not one of SYNTHIA's 0..{_LAST_CLASS}. Use the 16-bit file of "
            "GT/LABELS, not the colours of GT/COLOR."
        )
    return _TABLE[classes]


READER = Reader(CATEGORIES, list_files, Synthia)
