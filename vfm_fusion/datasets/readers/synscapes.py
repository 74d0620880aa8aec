"""Synscapes in its official layout: ``img/rgb/``, ``img/class/`` and ``img/instance/``.

It has no splits: all 25,000 images (1440 x 720) are for training. ``class`` holds the label ids of
Cityscapes, ``instance`` numbers the objects as red + 256 green + 65536 blue (synscapes.on.liu.se/features).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.cityscapes import CATEGORIES, semantic_from_label_ids
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, read_labels
from vfm_fusion.datasets.readers.street_scenes import NumberedScenes, refuse_train_ids

_LAYOUT = "Synscapes"


class Synscapes(NumberedScenes):
    """Synscapes."""

    def _read_semantic(self, path: Path) -> np.ndarray:
        label_ids = read_labels(path, GREY_8)
        refuse_train_ids(label_ids, path)
        return semantic_from_label_ids(label_ids, path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists all images.

    Raises:
        DatasetLayoutError: not the split ``train``, a folder is missing, an image lacks a label, or a label
            its image.
    """
    require_split(root, split, ("train",), _LAYOUT)
    return list_by_key(root, _LAYOUT, "img/rgb/{}.png", "img/class/{}.png", "img/instance/{}.png")


READER = Reader(CATEGORIES, list_files, Synscapes)
