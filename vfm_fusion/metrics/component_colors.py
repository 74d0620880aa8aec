"""Principal components as colours."""

from __future__ import annotations

import numpy as np

COMPONENTS = 3
"""One for each of red, green and blue."""


def signs(scores: np.ndarray) -> np.ndarray:
    """Returns +1 or -1 for each component ``(count, n)``, that of its score of largest magnitude."""
    largest = np.abs(scores).argmax(axis=1)
    is_up = np.take_along_axis(scores, largest[:, None], axis=1)[:, 0] >= 0
    return np.where(is_up, 1, -1).astype(scores.dtype)


def component_colors(scores: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    """Scales components to colours.

    Args:
        scores: ``(count, n)``, at most :data:`COMPONENTS`.
        percentiles: which percentiles of a component become 0 and 1; values beyond are clipped.

    Returns:
        ``(3, n)`` float32 in [0, 1]; 0.5 for a component that there is not, or that does not vary beside the
        largest score.
    """
    colors = np.full((COMPONENTS, scores.shape[1]), 0.5, dtype=np.float32)
    largest = float(np.abs(scores).max())
    for channel, component in zip(colors, scores, strict=False):
        low, high = np.percentile(component, percentiles)
        if high - low > 1e-4 * largest:
            channel[:] = np.clip((component - low) / (high - low), 0, 1)
    return colors
