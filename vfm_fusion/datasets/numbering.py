"""The distinct values of a raster."""

from __future__ import annotations

import numpy as np

_TABLE_ENTRIES = 1 << 16  # the ids of 16-bit rasters


def distinct(raster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the distinct values of a raster and where each pixel's stands among them.

    As ``np.unique(raster, return_inverse=True)``, which sorts the pixels: of a Cityscapes frame, that takes
    longer than decoding it. A raster has far fewer values than pixels, so a table or a search in them serves.

    Args:
        raster: integers of any shape.

    Returns:
        ``(n,)`` values in ascending order, of the raster's type; and places in them, integers of its shape.
    """
    if raster.size == 0 or raster.min() < 0 or raster.max() >= _TABLE_ENTRIES:
        found = np.unique(raster)
        return found, np.searchsorted(found, raster)
    counts = np.bincount(raster.ravel())
    found = np.flatnonzero(counts)
    places = np.zeros(len(counts), np.int32)
    places[found] = np.arange(len(found), dtype=np.int32)
    return found.astype(raster.dtype), places.take(raster)
