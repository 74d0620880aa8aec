"""Mean Euclidean silhouette (Rousseeuw 1987), one pair of clusters at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_RESOLUTION = 4 * torch.finfo(torch.float32).eps
"""Squared distances up to this share of the points' squared norms are rounding."""


def cluster_distance_sums(points: Tensor, sizes: list[int]) -> Tensor:
    """Sums each point's Euclidean distances to the members of every cluster.

    |a|^2 + |b|^2 - 2 a.b by one matrix product per pair of clusters, over centred points; what is below
    float32's resolution of that sum is 0, so that equal points have distance 0.

    Args:
        points: ``(n, dims)`` floating point, cluster after cluster.
        sizes: points of each of the k clusters.

    Returns:
        ``(n, k)`` float64.
    """
    points = points - points.mean(dim=0)
    squares = points.square().sum(dim=1, keepdim=True)
    ones = torch.ones_like(squares)
    limits = [_RESOLUTION * float(cluster.max()) for cluster in squares.split(sizes)]
    left = torch.cat([-2 * points, squares, ones], dim=1).split(sizes)
    right = torch.cat([points, ones, squares], dim=1).split(sizes)
    sums = points.new_empty(len(points), len(sizes))
    blocks = sums.split(sizes)
    for a in range(len(sizes)):
        distances = F.threshold_(left[a] @ right[a].T, 2 * limits[a], 0.0).sqrt_()
        blocks[a][:, a] = distances.fill_diagonal_(0.0).sum(dim=1)
        for b in range(a):
            distances = F.threshold_(left[a] @ right[b].T, limits[a] + limits[b], 0.0).sqrt_()
            blocks[a][:, b] = distances.sum(dim=1)
            blocks[b][:, a] = distances.sum(dim=0)
    return sums.double()


def mean_silhouette(points: Tensor, labels: Tensor) -> float:
    """Returns the mean over points of (b - a) / max(a, b).

    a is the mean distance to the other points of the same cluster, b the smallest mean distance to the points
    of another cluster. A point that is alone in its cluster, or has a = b = 0, counts as 0 (scikit-learn's
    convention).

    Args:
        points: ``(n, dims)``.
        labels: ``(n,)`` integer; at least two clusters have points.

    Returns:
        In [-1, 1].
    """
    labels, order = labels.sort(stable=True)
    sizes = labels.unique_consecutive(return_counts=True)[1]
    sums = cluster_distance_sums(points[order], sizes.tolist())
    cluster = torch.arange(len(sizes), device=labels.device).repeat_interleave(sizes)
    own = F.one_hot(cluster).bool()
    others = (sizes[cluster] - 1).clamp_min(1)
    within = sums[own] / others
    between = (sums / sizes).masked_fill(own, torch.inf).amin(dim=1)
    width = torch.maximum(within, between)
    silhouette = (between - within) / width
    return float(silhouette.masked_fill((sizes[cluster] == 1) | (width == 0), 0.0).mean())
