"""What the data sets of interactive segmentation share: photos with the mask of one object each."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.click_benchmarks import BENCHMARKS
from vfm_fusion.datasets.folders import list_by_stem, require_split
from vfm_fusion.datasets.index import Files, Listing, Reader
from vfm_fusion.datasets.rasters import read_mask
from vfm_fusion.errors import LabelError

BACKGROUND, OBJECT = 0, 1
"""Train ids."""

_UNKNOWN = 128  # a mask's grey of a border that was not decided

CATEGORIES = (
    Category(BACKGROUND, "background", False, (0, 0, 0)),
    Category(OBJECT, "object", True, (255, 255, 255)),
)
"""Background and the object that is to be clicked."""


class ObjectMasks(Dataset):
    """Photos, each with a mask of the objects that are to be clicked: one, where it is not said otherwise."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """Background and object."""
        return CATEGORIES

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`.

        Raises:
            LabelError: also, a mask without object.
        """
        path = self.path("semantic", position)
        if path is None:
            return None, None
        semantic, ids = self._read(path)
        count = int(ids.max())
        if not count:
            raise LabelError(f"{path}: the mask has no object, so there is nothing to click. Check the file.")
        return semantic, Instances(ids, np.full(count, OBJECT), np.zeros(count, bool))

    def _read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Reads a mask: classes ``(H, W)`` uint8, and numbers of objects ``(H, W)`` int32, 0 for none."""
        classes = self._classes(read_mask(path))
        return classes, (classes == OBJECT).astype(np.int32)

    @staticmethod
    @abstractmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        """Turns mask values, ``(H, W)``, into ``(H, W)`` uint8: background, object or void."""


class TrimapMasks(ObjectMasks):
    """Masks of grey values: 128 is unknown, lighter is the object, darker is background."""

    @staticmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        classes = np.where(mask > _UNKNOWN, OBJECT, BACKGROUND).astype(np.uint8)
        classes[mask == _UNKNOWN] = VOID
        return classes


class PaintedMasks(ObjectMasks):
    """Masks in which everything that is not black is the object, whatever its colour."""

    @staticmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        return np.where(mask > 0, OBJECT, BACKGROUND).astype(np.uint8)


@dataclass(frozen=True)
class MaskFolders:
    """Where a data set keeps its photos and their masks.

    Attributes:
        layout: name of the data set, for messages.
        folders: the folders of photos and of masks, below the root; of several layouts in use, the first
            that is there.
    """

    layout: str
    folders: tuple[tuple[str, str], ...]

    def list_files(self, root: Path, split: str) -> list[Files]:
        """Lists the photos and masks.

        Raises:
            DatasetLayoutError: not the split ``val``, a folder is missing, two files have one name, a photo
                lacks its mask, or a mask its photo.
        """
        require_split(root, split, ("val",), self.layout)
        photos, masks = next((pair for pair in self.folders if (root / pair[0]).is_dir()), self.folders[0])
        return list_by_stem(root, self.layout, photos, masks)


class BenchmarkReader(Reader):
    """Reads a benchmark, and says of how many of its photos when it is not all of them."""

    def listing(self, config: DatasetConfig, root: Path, split: str) -> Listing:
        """See :class:`~vfm_fusion.datasets.index.AnyReader`."""
        files, whole = self.list_files(root, split), BENCHMARKS[config.kind].photos[split]
        absent = whole - len(files)
        return Listing(files, {f"of the benchmark's {whole} photos, not there": absent} if absent > 0 else {})


GRABCUT = BenchmarkReader(
    CATEGORIES,
    MaskFolders("GrabCut", (("data_GT", "boundary_GT"), ("images", "masks"))).list_files,
    TrimapMasks,
)
"""The original release, or the folders of later copies."""

BERKELEY = BenchmarkReader(
    CATEGORIES, MaskFolders("Berkeley", (("images", "masks"),)).list_files, TrimapMasks
)
"""A photo with several lies there once for each, such as ``189011`` and ``189011a``."""

COCO_MVAL = BenchmarkReader(CATEGORIES, MaskFolders("COCO-MVal", (("img", "gt"),)).list_files, PaintedMasks)
"""Objects of COCO's validation images, ten of each class; released code reads them as DAVIS."""

DAVIS = BenchmarkReader(
    CATEGORIES, MaskFolders("DAVIS (345 frames)", (("img", "gt"),)).list_files, PaintedMasks
)
"""Video frames; their masks number up to three objects, which count as one."""
