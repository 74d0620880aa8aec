"""Synscapes in its official layout: ``img/rgb/``, ``img/class/`` and ``img/instance/``.

It has no splits: all 25,000 images (1440 x 720) are for training. ``class`` holds the label ids of
Cityscapes, ``instance`` numbers the objects as red + 256 green + 65536 blue (synscapes.on.liu.se/features).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.cityscapes import CATEGORIES, semantic_from_label_ids
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.images import read_labels
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.readers.street_scenes import NumberedScenes

_LAYOUT = "Synscapes"


class Synscapes(NumberedScenes):
    """Synscapes."""

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_label_ids(read_labels(path, np.uint8), path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists all images.

    Raises:
        DatasetLayoutError: not the split ``train``, a folder is missing, an image lacks a label, or a label
            its image.
    """
    require_split(root, split, ("train",), _LAYOUT)
    return list_by_key(root, _LAYOUT, "img/rgb/{}.png", "img/class/{}.png", "img/instance/{}.png")


READER = Reader(CATEGORIES, list_files, Synscapes)
