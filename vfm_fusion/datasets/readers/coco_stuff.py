"""COCO-Stuff: pixel maps of COCO's 80 things and 91 kinds of stuff. It tells no objects apart.

Read from ``{split}2017/`` and ``stuffthingmaps_trainval2017/{split}2017/``, or from the ``{split}_img/`` and
``{split}_label/`` of SPADE's preparation. SPADE's ``{split}_inst/`` is not read: a pixel there holds the
number of an object or, where no object was drawn, a class id, and the two share values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, RasterDataset
from vfm_fusion.datasets.folders import list_by_key
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import INDEXED_8, read_labels
from vfm_fusion.datasets.readers.coco_labels import THINGS
from vfm_fusion.datasets.readers.coco_stuff_labels import FIRST_STUFF_ID, STUFF
from vfm_fusion.datasets.readers.id_tables import train_ids, voc_color

_CLASSES = [(official, name, True) for official, name, _, _ in THINGS]
_CLASSES += [(official, name, False) for official, name in enumerate(STUFF, start=FIRST_STUFF_ID)]

CATEGORIES = tuple(
    Category(train_id, name, isthing, voc_color(official))
    for train_id, (official, name, isthing) in enumerate(_CLASSES)
)
"""The 171 classes, numbered in the order of their official ids; the set defines no colours, so they are
those of VOC's palette at the official id."""

_TRAIN_IDS = {official - 1: train_id for train_id, (official, _, _) in enumerate(_CLASSES)} | {VOID: VOID}
_EXPECTED = "COCO-Stuff's, one less than the official id (0..181, and 255 = unlabelled)"


class CocoStuff(RasterDataset):
    """A split of COCO-Stuff."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 171 classes."""
        return CATEGORIES

    def _read_semantic(self, path: Path) -> np.ndarray:
        return train_ids(read_labels(path, INDEXED_8), _TRAIN_IDS, path, _EXPECTED)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images and pixel maps.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks its pixel map, or a pixel map its image.
    """
    if (root / f"{split}_img").is_dir():
        return list_by_key(root, "COCO-Stuff (SPADE)", f"{split}_img/{{}}.jpg", f"{split}_label/{{}}.png")
    labels = f"stuffthingmaps_trainval2017/{split}2017/{{}}.png"
    return list_by_key(root, "COCO-Stuff", f"{split}2017/{{}}.jpg", labels, derived="_labelTrainIds.png")


READER = Reader(CATEGORIES, list_files, CocoStuff)
