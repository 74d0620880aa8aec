"""Structural Clustering Score (SCS, Eq. 2): do pixels form compact, separate groups in feature space?"""

from __future__ import annotations

import statistics

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.kmeans import kmeans_labels
from vfm_fusion.metrics.principal import principal_scores
from vfm_fusion.metrics.reasons import Score, undefined

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


MIN_PIXELS = 8
"""Fewer pixels cannot be clustered meaningfully (released code)."""


def drawn_pixels(pixels: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the indices of all pixels, or of ``limit`` drawn without replacement where there are more."""
    return np.arange(pixels) if pixels <= limit else rng.choice(pixels, limit, replace=False)


def clustering_points(features: FeatureMap, config: MetricConfig, rng: np.random.Generator) -> Tensor:
    """Returns the points that are clustered.

    The z-scored channels of all pixels, or of ``max_points`` drawn without replacement; reduced to
    min(pca_dims, C, n - 1) principal components without whitening. A PCA that keeps every channel would only
    rotate the points, so it is left out.

    Args:
        features: the map of one image.
        config: ``max_points`` and ``pca_dims`` are read.
        rng: drawn from once, if there are too many pixels.

    Returns:
        ``(n, dims)`` float32.
    """
    drawn = torch.from_numpy(drawn_pixels(features.pixels, config.max_points, rng))
    points = features.pixels_at(drawn.to(features.device))  # (C, n)
    channels, count = points.shape
    dims = min(config.pca_dims, channels, count - 1)
    if dims == channels:
        return points.T.contiguous()  # (C, n) -> (n, C)
    if count == features.pixels and features.tokens.count >= channels:
        points = features.tokens.axes(dims).T.float() @ points
    else:
        points = principal_scores(points - points.mean(dim=1, keepdim=True), dims)
    return points.T.contiguous()  # (dims, n) -> (n, dims)


def silhouette_sample(labels: np.ndarray, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the indices of a subsample stratified by cluster.

    From a cluster of n_c of the n points, max(2, round(limit * n_c / n)) are drawn without replacement; all
    points are kept when n <= limit.
    """
    if labels.size <= limit:
        return np.arange(labels.size)
    chosen = []
    for cluster in np.unique(labels):
        members = np.flatnonzero(labels == cluster)
        take = max(2, round(limit * members.size / labels.size))
        chosen.append(members if members.size <= take else rng.choice(members, take, replace=False))
    return np.concatenate(chosen)


def silhouettes(points: Tensor, config: MetricConfig, rng: np.random.Generator) -> dict[int, float]:
    """Clusters points by k-means and returns the mean Euclidean silhouette for each k of ``config.clusters``.

    A k is left out when its smallest cluster has fewer than 2 points.

    Args:
        points: ``(n, dims)`` float32.
        config: ``clusters``, ``n_init``, ``seed`` and ``silhouette_points`` are read.
        rng: drawn from for the subsamples, k after k.
    """
    scores = {}
    for k in config.clusters:
        if not 2 <= k <= len(points) // 2:
            continue
        labels = kmeans_labels(points, k, config.n_init, config.seed)
        names = labels.cpu().numpy()
        sizes = np.unique(names, return_counts=True)[1]
        if sizes.size < 2 or sizes.min() < 2:
            continue
        sample = torch.from_numpy(silhouette_sample(names, config.silhouette_points, rng))
        sample = sample.to(points.device)
        scores[k] = mean_silhouette(points[sample], labels[sample])
    return scores


def clustering_score(features: FeatureMap, config: MetricConfig) -> Score:
    """Computes SCS = (median over k of S_k + 1) / 2 (Eq. 2), S_k the mean silhouette of k clusters.

    One generator, seeded afresh for every image, draws the pixels and then the subsamples.

    Returns:
        SCS in [0, 1]; higher means tighter, better separated clusters.
    """
    if features.pixels < MIN_PIXELS:
        return undefined(reasons.TOO_FEW_PIXELS)
    rng = np.random.default_rng(config.seed)
    scores = silhouettes(clustering_points(features, config, rng), config, rng)
    if not scores:
        return undefined(reasons.NO_CLUSTERING)
    return Score((statistics.median(scores.values()) + 1.0) / 2.0)
