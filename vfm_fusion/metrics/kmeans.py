"""k-means with many restarts, seeded together (scikit-learn's Lloyd iterations)."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController


def plus_plus_seeds(points: np.ndarray, k: int, restarts: int, rng: np.random.RandomState) -> np.ndarray:
    """Chooses greedy k-means++ seeds (Arthur & Vassilvitskii 2007) for all restarts at once.

    2 + floor(ln k) candidates per centre are drawn in proportion to the squared distance to the nearest
    centre; the one that leaves the least total squared distance is kept. The draws, their order and the
    precision of every step are scikit-learn's, so that restart i gets the seeds that
    ``KMeans(k, n_init=restarts, random_state=rng)`` would choose for it.

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

    def squared_distances(indices: np.ndarray) -> np.ndarray:
        distances = exact[indices.ravel()] @ exact.T  # (indices, n)
        distances *= -2.0
        distances += squares[indices.ravel(), None]
        distances += squares
        return np.maximum(distances, 0.0, dtype=np.float32, casting="same_kind").reshape(*indices.shape, n)

    every = np.arange(restarts)
    nearest = squared_distances(seeds[:, 0])  # (restarts, n)
    potential = nearest.sum(axis=1)
    for centre in range(1, k):
        targets = draws[:, centre - 1] * potential[:, None]  # (restarts, trials)
        cumulative = np.cumsum(nearest, axis=1)
        candidates = np.stack([np.searchsorted(c, t) for c, t in zip(cumulative, targets, strict=True)])
        candidates = candidates.clip(max=n - 1)
        updated = np.minimum(squared_distances(candidates), nearest[:, None])  # (restarts, trials, n)
        potentials = updated.sum(axis=2)
        best = potentials.argmin(axis=1)
        seeds[:, centre] = candidates[every, best]
        nearest, potential = updated[every, best], potentials[every, best]
    return seeds


def kmeans_labels(points: np.ndarray, k: int, restarts: int, seed: int) -> np.ndarray:
    """Clusters points by Lloyd's k-means and keeps the restart with the least inertia.

    Equal to ``KMeans(k, n_init=restarts, random_state=seed).fit(points).labels_``. It runs on one thread, so
    the labels do not depend on the number of cores.

    Args:
        points: ``(n, dims)`` float32.
        k: number of clusters, at most n.
        restarts: number of seedings.
        seed: seed of all restarts.

    Returns:
        ``(n,)`` int32 in [0, k).
    """
    points = points - points.mean(axis=0)
    seeds = iter(plus_plus_seeds(points, k, restarts, np.random.RandomState(seed)))
    lloyd = KMeans(k, init=lambda data, n_clusters, random_state: data[next(seeds)], n_init=restarts)
    with _thread_pools().limit(limits=1), warnings.catch_warnings():
        # Fewer distinct points than clusters: the labels say so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return lloyd.fit(points).labels_


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()
