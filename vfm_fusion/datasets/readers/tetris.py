"""TETRIS: the photos on which RClicks collected clicks (Antonov et al., NeurIPS 2024), an object a colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vfm_fusion.datasets.rasters import read_packed_ids
from vfm_fusion.datasets.readers.click_sets import CATEGORIES, BenchmarkReader, MaskFolders, ObjectMasks


class Tetris(ObjectMasks):
    """The photos of TETRIS; every colour of a mask but black is an object, nothing is void."""

    def _read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        mask = read_packed_ids(path)
        colors, numbers = np.unique(mask, return_inverse=True)
        ids = numbers.reshape(mask.shape).astype(np.int32) + int(colors[0] != 0)
        return self._classes(ids), ids

    @staticmethod
    def _classes(mask: np.ndarray) -> np.ndarray:
        return (mask > 0).astype(np.uint8)


READER = BenchmarkReader(CATEGORIES, MaskFolders("TETRIS", (("images", "masks"),)).list_files, Tetris)
"""The release's folders."""
