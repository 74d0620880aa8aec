"""Mapillary Vistas, labels of version 1.2, with the classes of Cityscapes.

``{training,validation}/`` hold ``images/``, and ``labels/`` and ``instances/`` either beside them or, as
version 2.0 is packed, in ``v1.2/``. The mapping of 25 of the 66 classes is the one that domain-generalisation
benchmarks use (RobustNet, HRDA and those after them); all other classes are void.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Instances, RasterDataset
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.folders import list_by_key
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_16, INDEXED_8, read_labels
from vfm_fusion.datasets.readers.id_tables import classes_of_codes, objects_of_codes, train_ids
from vfm_fusion.datasets.readers.street_scenes import StreetScenes

_FOLDERS = {"train": "training", "val": "validation"}
_CLASSES = 66
_FACTOR = 256

LABELS: dict[str, tuple[int, ...]] = {
    "road": (13, 24, 41),  # road, lane marking (general), manhole
    "sidewalk": (2, 15),  # curb, sidewalk
    "building": (17,),
    "wall": (6,),
    "fence": (3,),
    "pole": (45, 47),  # pole, utility pole
    "traffic light": (48,),
    "traffic sign": (50,),  # front
    "vegetation": (30,),
    "terrain": (29,),
    "sky": (27,),
    "person": (19,),
    "rider": (20, 21, 22),  # bicyclist, motorcyclist, other rider
    "car": (55,),
    "truck": (61,),
    "bus": (54,),
    "train": (58,),  # on rails
    "motorcycle": (57,),
    "bicycle": (52,),
}
"""The label ids of Mapillary Vistas 1.2 that become each class of Cityscapes."""

_TRAIN_IDS = dict.fromkeys(range(_CLASSES), VOID) | {
    label: category.id for category in CATEGORIES for label in LABELS[category.name]
}
_THINGS = [category.id for category in CATEGORIES if category.isthing]
_EXPECTED = f"Mapillary Vistas 1.2's 0..{_CLASSES - 1}. Use the labels of v1.2, not of v2.0"


class Mapillary(StreetScenes, RasterDataset):
    """A split of Mapillary Vistas."""

    protocol = "coco"
    codes_classes = True

    def _read_semantic(self, path: Path) -> np.ndarray:
        return train_ids(read_labels(path, INDEXED_8), _TRAIN_IDS, path, _EXPECTED)

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        codes = read_labels(path, GREY_16)
        return instances_from_codes(codes, path), classes_of_codes(codes, _FACTOR, _TRAIN_IDS)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images and labels.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks a label, or a label its image.
    """
    folder = _FOLDERS[split]
    labels = f"{folder}/v1.2" if (root / folder / "v1.2").is_dir() else folder
    return list_by_key(
        root,
        "Mapillary Vistas",
        f"{folder}/images/{{}}.jpg",
        f"{labels}/labels/{{}}.png",
        f"{labels}/instances/{{}}.png",
    )


def instances_from_codes(codes: np.ndarray, path: Path) -> Instances:
    """Turns 16-bit codes, label id * 256 + number from 0, into objects; there are no crowds.

    Args:
        codes: ``(H, W)`` int32.
        path: the file, for messages.

    Raises:
        LabelError: a label id that version 1.2 does not have.
    """
    objects, _ = objects_of_codes(codes, _FACTOR, _TRAIN_IDS, _THINGS, path, _EXPECTED)
    return objects


READER = Reader(CATEGORIES, list_files, Mapillary)
