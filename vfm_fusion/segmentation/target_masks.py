"""Binary target masks of a training crop, drawn from its label maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.datasets.base import Instances


def visible_objects(layers: Sequence[np.ndarray], instances: Instances) -> np.ndarray:
    """Numbers of the objects that a crop shows, without crowds, in their order: ``(n,)`` int64."""
    seen = np.zeros(len(instances) + 1, bool)
    for layer in layers:
        seen |= np.bincount(layer.ravel(), minlength=len(seen)) > 0
    seen[0] = False
    seen[1:] &= ~instances.crowd
    return np.flatnonzero(seen)


def draw_masks(masks: np.ndarray, layers: Sequence[np.ndarray], numbers: np.ndarray) -> None:
    """Fills ``(N, H, W)`` bool with the pixels of each number in any of the layers."""
    if not len(numbers):
        return
    front, *covered = (_narrow(layer) for layer in layers)
    for mask, number in zip(masks, numbers.tolist(), strict=True):  # a Python int keeps the narrow type
        np.equal(front, number, out=mask)
        for layer in covered:
            mask |= layer == number


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """The same numbers, at least 0, in the smallest type that holds them: comparing is then fastest."""
    return numbers.astype(np.min_scalar_type(int(numbers.max())), copy=False)
