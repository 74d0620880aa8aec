"""CamVid in the SegNet tutorial's layout: ``train/``, ``trainannot/``, ``val/``, ``valannot/``.

It has no instances.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, RasterDataset
from vfm_fusion.datasets.folders import pair, require_folder, visible
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, read_labels
from vfm_fusion.errors import LabelError

_LAYOUT = "CamVid (SegNet tutorial)"

CATEGORIES = tuple(
    Category(train_id, name, isthing, color)
    for train_id, (name, isthing, color) in enumerate(
        (
            ("sky", False, (128, 128, 128)),
            ("building", False, (128, 0, 0)),
            ("pole", False, (192, 192, 128)),
            ("road", False, (128, 64, 128)),
            ("pavement", False, (60, 40, 222)),
            ("tree", False, (128, 128, 0)),
            ("sign", False, (192, 128, 128)),
            ("fence", False, (64, 64, 128)),
            ("car", True, (64, 0, 128)),
            ("pedestrian", True, (64, 64, 0)),
            ("bicyclist", True, (0, 128, 192)),
        )
    )
)
"""The 11 evaluated classes, in SegNet's order and colours."""

_FILE_VOID = len(CATEGORIES)


class Camvid(RasterDataset):
    """A split of CamVid."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 11 evaluated classes."""
        return CATEGORIES

    def _read_semantic(self, path: Path) -> np.ndarray:
        return semantic_from_annotation(read_labels(path, GREY_8), path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the files of a split.

    Raises:
        DatasetLayoutError: a folder is missing, an image lacks its label, or a label its image.
    """
    images = require_folder(root, split, _LAYOUT)
    labels = require_folder(root, f"{split}annot", _LAYOUT)
    names = pair(_names(images), _names(labels), labels, "{}")
    return [Files(Path(name).stem, f"{split}/{name}", f"{split}annot/{name}", None) for name in names]


def _names(folder: Path) -> list[str]:
    return [path.name for path in visible(folder, "*.png")]


def semantic_from_annotation(annotation: np.ndarray, path: Path) -> np.ndarray:
    """Turns SegNet's ids into train ids: 0..10 stay, 11 becomes void.

    Args:
        annotation: ``(H, W)`` uint8.
        path: the file, for messages.

    Raises:
        LabelError: an id above 11.
    """
    highest = int(annotation.max())
    if highest > _FILE_VOID:
        raise LabelError(
            f"{path}: id {highest} is not one of CamVid's 0..{_FILE_VOID} ({_FILE_VOID} = void). Use the "
            "11-class annotation of the SegNet tutorial."
        )
    return np.where(annotation == _FILE_VOID, VOID, annotation).astype(np.uint8)


READER = Reader(CATEGORIES, list_files, Camvid)
