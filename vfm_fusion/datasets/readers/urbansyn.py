"""UrbanSyn in its official layout: ``rgb/``, ``ss/`` and ``panoptic/``; all 7,539 images are for training.

``ss`` holds the train ids of Cityscapes, and 19 where nothing is labelled. In ``panoptic``, which comes as an
archive of its own, each object has a colour of its own and the rest is black.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, read_labels
from vfm_fusion.datasets.readers.street_scenes import NumberedScenes, semantic_from_train_ids

_LAYOUT = "UrbanSyn"
_UNLABELLED = 19


class UrbanSyn(NumberedScenes):
    """UrbanSyn."""

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_train_ids(read_labels(path, GREY_8), path, also_void={_UNLABELLED})


def list_files(root: Path, split: str) -> list[Files]:
    """Lists all images; without objects where there is no folder ``panoptic``.

    Raises:
        DatasetLayoutError: not the split ``train``, a folder is missing, an image lacks a label, or a label
            its image.
    """
    require_split(root, split, ("train",), _LAYOUT)
    instance = "panoptic/panoptic_{}.png" if (root / "panoptic").is_dir() else None
    return list_by_key(root, _LAYOUT, "rgb/rgb_{}.png", "ss/ss_{}.png", instance)


READER = Reader(CATEGORIES, list_files, UrbanSyn)
