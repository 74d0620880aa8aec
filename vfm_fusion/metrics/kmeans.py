"""k-means with many restarts: scikit-learn's seeds and decisions, compiled iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.metrics.lloyd import lloyd, lloyd_batched

MAX_ITERATIONS = 300
TOLERANCE = 1e-4
"""Of scikit-learn: iterations, and the squared shift of all centres relative to the mean variance."""


def plus_plus_seeds(points: np.ndarray, k: int, restarts: int, rng: np.random.RandomState) -> np.ndarray:
    """Chooses greedy k-means++ seeds (Arthur & Vassilvitskii 2007) for all restarts at once.

    2 + floor(ln k) candidates per centre are drawn in proportion to the squared distance to the nearest
    centre; the one that leaves the least total squared distance is kept. The draws and their order are
    scikit-learn's, so that restart i gets the seeds that ``KMeans(k, n_init=restarts, random_state=rng)``
    would choose for it.

    Args:
        points: ``(n, dims)`` float32, centred.
        k: number of clusters.
        restarts: number of independent seedings.
        rng: advanced as scikit-learn advances it.

    Returns:
        ``(restarts, k)`` int64, indices of points.
    """
    trials, n = 2 + int(np.log(k)), len(points)
    weights = np.full(n, 1.0 / n, dtype=np.float32)
    seeds = np.empty((restarts, k), dtype=np.int64)
    draws = np.empty((restarts, k - 1, trials))
    for restart in range(restarts):
        seeds[restart, 0] = rng.choice(n, p=weights)
        draws[restart] = rng.uniform(size=(k - 1, trials))
    exact = points.astype(np.float64)
    squares = np.einsum("nd,nd->n", exact, exact)
    ones = np.ones_like(squares)
    left = np.column_stack([-2.0 * exact, squares, ones])
    right = np.column_stack([exact, ones, squares]).T  # left @ right = |a|^2 + |b|^2 - 2 a.b

    def squared_distances(indices: np.ndarray) -> np.ndarray:
        distances = left[indices.ravel()] @ right  # (indices, n)
        return np.maximum(distances, 0.0, dtype=np.float32, casting="same_kind").reshape(*indices.shape, n)

    every = np.arange(restarts)
    nearest = squared_distances(seeds[:, 0])  # (restarts, n)
    potential = nearest.sum(axis=1)
    for centre in range(1, k):
        targets = draws[:, centre - 1] * potential[:, None]  # (restarts, trials)
        cumulative = np.cumsum(nearest, axis=1)
        candidates = np.stack([np.searchsorted(c, t) for c, t in zip(cumulative, targets, strict=True)])
        candidates = candidates.clip(max=n - 1)
        updated = squared_distances(candidates)  # (restarts, trials, n)
        np.minimum(updated, nearest[:, None], out=updated)
        potentials = updated.sum(axis=2)
        best = potentials.argmin(axis=1)
        seeds[:, centre] = candidates[every, best]
        nearest, potential = updated[every, best], potentials[every, best]
    return seeds


def kmeans_labels(points: Tensor, k: int, restarts: int, seed: int) -> Tensor:
    """Clusters points by Lloyd's k-means and keeps the restart with the least inertia.

    Equal to ``KMeans(k, n_init=restarts, random_state=seed).fit(points).labels_`` (but for points that
    float32 puts at the same distance from two centres), on any number of threads.

    Args:
        points: ``(n, dims)`` float32.
        k: number of clusters, at most n.
        restarts: number of seedings.
        seed: seed of all restarts.

    Returns:
        ``(n,)`` integer in [0, k), where the points are.
    """
    tolerance = TOLERANCE * float(points.var(dim=0, correction=0).mean())
    points = (points - points.mean(dim=0)).contiguous()
    seeds = plus_plus_seeds(points.cpu().numpy(), k, restarts, np.random.RandomState(seed))
    centres = points[torch.from_numpy(seeds).to(points.device)]  # (restarts, k, dims)
    if points.is_cpu:
        labels, inertias = lloyd(points, centres, MAX_ITERATIONS, tolerance)
        return torch.from_numpy(labels[_best(labels, inertias, k)])
    every, inertia = lloyd_batched(points, centres, MAX_ITERATIONS, tolerance)
    return every[_best(every.cpu().numpy(), inertia.tolist(), k)]


def _best(labels: np.ndarray, inertias: Sequence[float], k: int) -> int:
    """The restart with the least inertia; of equal partitions the first (scikit-learn's rule)."""
    best = 0
    for restart in range(1, len(labels)):
        if inertias[restart] < inertias[best] and not _same_clusters(labels[restart], labels[best], k):
            best = restart
    return best


def _same_clusters(labels: np.ndarray, others: np.ndarray, k: int) -> bool:
    """Whether two labellings are the same partition under other names."""
    pairs = np.bincount(labels * k + others, minlength=k * k).reshape(k, k) > 0
    return bool((pairs.sum(axis=0) <= 1).all() and (pairs.sum(axis=1) <= 1).all())
