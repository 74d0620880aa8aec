"""HQSeg-44K: fine masks of one object a photo, collected from other data sets (SAM-HQ's training data).

The root is the folder ``data`` of SAM-HQ's training code, or that above it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import Instances
from vfm_fusion.datasets.folders import refuse_other_case, require_folder, require_split, visible
from vfm_fusion.datasets.index import Files
from vfm_fusion.datasets.readers.click_sets import CATEGORIES, BenchmarkReader, ObjectMasks
from vfm_fusion.errors import LabelError

_LAYOUT = "HQSeg-44K"
_PHOTO, _MASK = "*.jpg", "*.png"
_DIS, _PSP, _THIN = "DIS5K", "cascade_psp", "thin_object_detection"
_DARK = 128  # the lightest grey of a mask's background

_FOLDERS = {
    "train": {
        "DIS-TR": (f"{_DIS}/DIS-TR/im", f"{_DIS}/DIS-TR/gt"),
        "ThinObject5K-TR": (f"{_THIN}/ThinObject5K/images_train", f"{_THIN}/ThinObject5K/masks_train"),
        "FSS": (f"{_PSP}/fss_all",) * 2,
        "DUTS-TR": (f"{_PSP}/DUTS-TR",) * 2,
        "DUTS-TE": (f"{_PSP}/DUTS-TE",) * 2,
        "ECSSD": (f"{_PSP}/ecssd",) * 2,
        "MSRA": (f"{_PSP}/MSRA_10K",) * 2,
    },
    "val": {
        "DIS-VD": (f"{_DIS}/DIS-VD/im", f"{_DIS}/DIS-VD/gt"),
        "COIFT": (f"{_THIN}/COIFT/images", f"{_THIN}/COIFT/masks"),
        "HRSOD": (f"{_THIN}/HRSOD/images", f"{_THIN}/HRSOD/masks_max255"),
        "ThinObject5K-TE": (f"{_THIN}/ThinObject5K/images_test", f"{_THIN}/ThinObject5K/masks_test"),
    },
}
"""The parts of each split, with the folders of their photos and of their masks."""


class HqSeg44k(ObjectMasks):
    """A split of HQSeg-44K. Masks are grey, their rims smooth: the lighter half is the object."""

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`.

        Raises:
            LabelError: also, a photo without mask, or a mask without object.
        """
        path = self.path("semantic", position)
        if path is not None and not path.is_file():
            raise LabelError(
                f"{path}: no such mask, so its photo is unlabelled. Unpack the archive again; if the mask "
                "is missing there too, `damaged: skip` leaves the photo out and lists it."
            )
        return super().labels(position)

    @staticmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        return (mask > _DARK).astype(np.uint8)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the photos of all parts, each with its mask, be it there or not.

    Raises:
        DatasetLayoutError: a folder is missing, or the name of a file differs from the layout's in the case
            of letters.
    """
    require_split(root, split, tuple(_FOLDERS), _LAYOUT)
    base = "data/" if (root / "data").is_dir() else ""
    files = []
    for part, folders in _FOLDERS[split].items():
        photos, masks = (f"{base}{folder}" for folder in folders)
        for folder, pattern in ((photos, _PHOTO), (masks, _MASK)):
            refuse_other_case(require_folder(root, folder, _LAYOUT), pattern)
        for photo in visible(root / photos, _PHOTO):
            mask = f"{masks}/{photo.stem}.png"
            files.append(Files(f"{part}_{photo.stem}", f"{photos}/{photo}", mask, mask))
    return files


READER = BenchmarkReader(CATEGORIES, list_files, HqSeg44k)
