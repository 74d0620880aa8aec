"""BDD100K's 10,000 labelled images, in either of its official layouts; the labels are train ids, 255 is void.

The releases since 2020 have ``images/10k/{split}/`` and ``labels/sem_seg/masks/{split}/``, the one before
``seg/images/{split}/`` and ``seg/labels/{split}/``. There are 7,000 images to train and 1,000 to validate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import RasterDataset
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, read_labels
from vfm_fusion.datasets.readers.street_scenes import StreetScenes, semantic_from_train_ids

_LAYOUT = "BDD100K"


class Bdd100k(StreetScenes, RasterDataset):
    """BDD100K, of which only the classes are read."""

    protocol = "coco"

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_train_ids(read_labels(path, GREY_8), path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of a split.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks its label, or a label its image.
    """
    require_split(root, split, ("train", "val"), _LAYOUT)
    if (root / "seg").is_dir() and not (root / "images/10k").is_dir():
        return list_by_key(
            root, _LAYOUT, f"seg/images/{split}/{{}}.jpg", f"seg/labels/{split}/{{}}_train_id.png"
        )
    return list_by_key(
        root, _LAYOUT, f"images/10k/{split}/{{}}.jpg", f"labels/sem_seg/masks/{split}/{{}}.png"
    )


READER = Reader(CATEGORIES, list_files, Bdd100k)
