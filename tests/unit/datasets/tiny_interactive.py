"""Tiny data sets of interactive segmentation in the layouts of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset

TRIMAP = np.array([[0, 0, 128, 255], [0, 64, 128, 255], [0, 0, 128, 200]], np.uint8)
"""Background, a band that was not decided, an object."""


def photo(path: Path, height: int = 3, width: int = 4) -> None:
    """Writes a photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)


def mask(path: Path, pixels: np.ndarray, palette: list[int] | None = None) -> None:
    """Writes a mask, of palette indices where there is a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = Image.fromarray(pixels)
    if palette is not None:
        file.putpalette(palette)
    file.save(path)


def read(kind: str, root: Path) -> Dataset:
    """Indexes and opens the split ``val``."""
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, "val").frame)
