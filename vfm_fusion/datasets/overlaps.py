"""Objects that cover one another, as rasters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def lay_over(
    masks: Iterable[tuple[int, np.ndarray]], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Lays masks over one another: what the front ones cover moves to further layers.

    Args:
        masks: (number, ``(H, W)`` bool), the front-most first; read one by one.
        size: (H, W).

    Returns:
        ``ids`` ``(H, W)`` int32 and ``covered`` ``(L, H, W)`` int32 or None, as
        :class:`vfm_fusion.datasets.base.Instances` holds them.
    """
    layers = [np.zeros(size, np.int32)]
    for number, mask in masks:
        rest = mask
        for layer in layers:
            free = rest & (layer == 0)
            layer[free] = number
            rest = rest & ~free
            if not rest.any():
                break
        else:
            layers.append(np.where(rest, np.int32(number), np.int32(0)))
    return layers[0], np.stack(layers[1:]) if len(layers) > 1 else None
