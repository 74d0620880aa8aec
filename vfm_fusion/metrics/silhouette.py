"""Mean Euclidean silhouette (Rousseeuw 1987) without a full distance matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 500
"""Rows of a distance block; two blocks of this size stay in a core's cache."""


def cluster_distance_sums(points: Tensor, membership: Tensor) -> Tensor:
    """Sums each point's Euclidean distances to the members of every cluster.

    Squared distances |a|^2 + |b|^2 - 2 a.b are formed in float64, their roots taken in float32; every pair of
    blocks is visited once.

    Args:
        points: ``(n, dims)``.
        membership: ``(n, k)`` one-hot float32.

    Returns:
        ``(n, k)`` float64.
    """
    points = points.double()
    squares = points.square().sum(dim=1)
    sums = torch.zeros(membership.shape, dtype=torch.float64, device=points.device)
    blocks = torch.arange(len(points)).split(_BLOCK)
    spans = [slice(int(block[0]), int(block[-1]) + 1) for block in blocks]
    for first, rows in enumerate(spans):
        for columns in spans[first:]:
            squared = torch.addmm(squares[columns], points[rows], points[columns].T, alpha=-2)
            distance = squared.add_(squares[rows, None]).clamp_min_(0.0).float().sqrt_()  # (rows, columns)
            if rows is columns:
                distance.fill_diagonal_(0.0)
            else:
                sums[columns] += distance.T @ membership[rows]
            sums[rows] += distance @ membership[columns]
    return sums


def mean_silhouette(points: Tensor, labels: Tensor) -> float:
    """Returns the mean over points of (b - a) / max(a, b).

    a is the mean distance to the other points of the same cluster, b the smallest mean distance to the points
    of another cluster. A point that is alone in its cluster, or has a = b = 0, counts as 0 (scikit-learn's
    convention).

    Args:
        points: ``(n, dims)``.
        labels: ``(n,)`` int64 in [0, k); at least two clusters have points.

    Returns:
        In [-1, 1].
    """
    membership = F.one_hot(labels).float()  # (n, k)
    membership = membership[:, membership.sum(dim=0) > 0]
    sums = cluster_distance_sums(points, membership)
    sizes = membership.sum(dim=0, dtype=torch.float64)
    own = membership.bool()
    within = sums[own] / (sizes - 1).clamp_min(1).expand_as(sums)[own]
    between = (sums / sizes).masked_fill(own, torch.inf).amin(dim=1)
    width = torch.maximum(within, between)
    silhouette = (between - within) / width
    alone = sizes.expand_as(sums)[own] == 1
    return float(silhouette.masked_fill(alone | (width == 0), 0.0).mean())
