"""Where the labels of points go, so that none lies on another or on a point."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = np.radians([90, -90, 0, 180, *range(45, 360, 90), *np.arange(22.5, 360, 45)])
"""Directions from a point in which its label is tried, above first."""
GAPS = np.array([1.0, 4.0, 8.0, 13.0, 19.0, 26.0])
"""Distances between the edges of a point and of its label, likewise, the nearest first."""
ROUNDS = 3
"""How often every label is placed: from the second time on, others that came later are known too."""
SAMPLES = 33
"""Points at which a line is looked at."""
COSTS = {"label": 1000.0, "point": 500.0, "outside": 1000.0, "line": 0.4}
"""What a label pays beside its gap: for the share of it that another covers, and for every line below it."""

Boxes = NDArray[np.float64]
"""``(N, 4)``: left, bottom, right and top of boxes, or the two ends of lines."""


def place_labels(
    points: NDArray[np.float64],
    radii: NDArray[np.float64],
    sizes: Sequence[tuple[float, float]],
    lines: Boxes,
    frame: tuple[float, float, float, float],
) -> NDArray[np.float64]:
    """Places a label near each point, one by one and then again, where it costs least; of equals the first.

    Args:
        points: ``(N, 2)`` float, in the unit of all other lengths, such as typographic points.
        radii: ``(N,)`` float: half the width of every point's marker.
        sizes: width and height of every label.
        lines: ``(M, 4)`` float: both ends of lines that are better not covered.
        frame: left, bottom, right and top that labels stay within.

    Returns:
        ``(N, 2)`` float: from every point to the centre of its label.
    """
    markers = np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)
    along = np.linspace(0, 1, SAMPLES)[:, None, None]
    samples = (1 - along) * lines[:, :2] + along * lines[:, 2:]  # (SAMPLES, M, 2)
    gaps, angles = (tried.ravel() for tried in np.meshgrid(GAPS, DIRECTIONS, indexing="ij"))  # (K,)
    ways = np.column_stack([np.cos(angles), np.sin(angles)])  # (K, 2)
    boxes, offsets = np.full((len(points), 4), np.inf), np.zeros_like(points)
    for _, index in itertools.product(range(ROUNDS), range(len(points))):
        half = np.array(sizes[index]) / 2
        tried = ways * (radii[index] + gaps + np.abs(ways) @ half)[:, None]
        there = np.concatenate([points[index] + tried - half, points[index] + tried + half], axis=1)  # (K, 4)
        cost = gaps / GAPS[-1] + COSTS["label"] * _covered(there, np.delete(boxes, index, axis=0))
        cost += COSTS["point"] * _covered(there, markers) + COSTS["line"] * _crossings(there, samples)
        cost += COSTS["outside"] * (1 - _covered(there, np.array([frame])))
        best = cost.round(9).argmin()
        offsets[index], boxes[index] = tried[best], there[best]
    return offsets


def _covered(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Sums the shares of every box ``(K, 4)`` that others ``(N, 4)`` cover: ``(K,)``."""
    sides = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
    return np.clip(sides, 0, None).prod(axis=2).sum(axis=1) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def _crossings(boxes: Boxes, samples: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts the lines with one of their points ``(SAMPLES, M, 2)`` in every box ``(K, 4)``: ``(K,)``."""
    low, high = boxes[:, None, None, :2], boxes[:, None, None, 2:]
    return ((samples >= low) & (samples <= high)).all(axis=3).any(axis=1).sum(axis=1)
