"""Tiling noise textures, the same in every scene; a scene looks them up at its own offsets."""

from __future__ import annotations

from functools import cache

import numpy as np

SIZE = 512
"""Rows and columns of a tile; a power of two."""

_SEED = 20_240_607


@cache
def tile(exponent: float) -> np.ndarray:
    """``(SIZE, SIZE)`` float32 noise, amplitude spectrum 1 / frequency**exponent, mean 0, deviation 1."""
    white = np.random.default_rng(_SEED).standard_normal((SIZE, SIZE))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    frequency[0, 0] = np.inf
    shaped = np.fft.irfft2(np.fft.rfft2(white) / frequency**exponent, s=(SIZE, SIZE))
    return ((shaped - shaped.mean()) / shaped.std()).astype(np.float32)


def sample(exponent: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Looks a tile up at any coordinates (in texels, wrapped around)."""
    mask = SIZE - 1
    return tile(exponent)[rows.astype(np.int32) & mask, columns.astype(np.int32) & mask]


@cache
def _cells() -> np.ndarray:
    return np.random.default_rng(_SEED + 1).random((SIZE, SIZE), np.float32)


def cell_noise(rows: np.ndarray, columns: np.ndarray, seed: int) -> np.ndarray:
    """One number in [0, 1) for each integer cell; another pattern for another seed."""
    mask = SIZE - 1
    row = (rows.astype(np.int32) + seed % 509) & mask
    return _cells()[row, (columns.astype(np.int32) + seed // 509 % 503) & mask]
