"""TETRIS: the photos on which RClicks collected clicks (Antonov et al., NeurIPS 2024), an object a colour."""

from __future__ import annotations

import numpy as np

from vfm_fusion.datasets.base import Instances
from vfm_fusion.datasets.rasters import read_packed_ids
from vfm_fusion.datasets.readers.click_sets import CATEGORIES, BenchmarkReader, MaskFolders, ObjectMasks
from vfm_fusion.errors import LabelError


class Tetris(ObjectMasks):
    """The photos of TETRIS; every colour of a mask but black is an object, nothing is void."""

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`.

        Raises:
            LabelError: also, a mask without object.
        """
        path = self.path("semantic", position)
        if path is None:
            return None, None
        mask = read_packed_ids(path)
        colors, numbers = np.unique(mask, return_inverse=True)
        ids = numbers.reshape(mask.shape).astype(np.int32) + int(colors[0] != 0)
        if not ids.any():
            raise LabelError(f"{path}: the mask has no object, so there is nothing to click. Check the file.")
        count = int(ids.max())
        return self._classes(ids), Instances(ids, np.ones(count, np.int64), np.zeros(count, bool))

    @staticmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        return (mask > 0).astype(np.uint8)


READER = BenchmarkReader(
    CATEGORIES, MaskFolders("TETRIS", (("images", "masks"),)).list_files, Tetris, {"val": 2000}
)
"""2,000 photos with 2,531 objects."""
