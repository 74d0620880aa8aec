"""Percentile bootstrap over images."""

from __future__ import annotations

import numpy as np

_INTERVAL = (2.5, 97.5)


def bootstrap_interval(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Returns the 2.5th and 97.5th percentile of the mean of resampled ``values`` ``(n,)``; NaN if n = 0."""
    if values.size == 0:
        return float("nan"), float("nan")
    return percentile_interval(values[bootstrap_draws(values.size, resamples, seed)].mean(axis=1))


def bootstrap_draws(count: int, resamples: int, seed: int) -> np.ndarray:
    """Returns which of ``count`` images every resample holds, ``(resamples, count)`` int64."""
    return np.random.default_rng(seed).integers(count, size=(resamples, count))


def percentile_interval(resampled: np.ndarray) -> tuple[float, float]:
    """Returns the 2.5th and 97.5th percentile of what resamples give ``(resamples,)``."""
    low, high = np.percentile(resampled, _INTERVAL)
    return float(low), float(high)
