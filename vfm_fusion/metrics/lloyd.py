"""Lloyd's k-means of several restarts at once on a CPU: one matrix product a round, compiled updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function on its first call, and keeps the result for other processes where that can be."""
    options = {"nogil": True, "fastmath": {"reassoc", "contract"}}
    try:
        return njit(function, cache=True, **options)
    except RuntimeError:  # numba: neither the package nor the user's cache folder can be written
        return njit(function, **options)


def lloyd(
    points: Tensor, seeds: Tensor, max_iterations: int, tolerance: float
) -> tuple[np.ndarray, list[float]]:
    """Runs Lloyd's iterations of all restarts side by side, each until its own end.

    Updates and stopping rule are scikit-learn's: a restart stops when no label changes, or when the squared
    shift of all its centres together is at most ``tolerance`` (its labels are then those of the last
    centres). An empty cluster takes the point farthest from its own centre. Distances are float32, as
    x.c - |c|^2 / 2, which one product gives for the centres of every restart; sums over clusters are float64
    and updated by the points that moved.

    Args:
        points: ``(n, d)`` float32, centred.
        seeds: ``(R, k, d)`` float32 first centres of R restarts.
        max_iterations: limit.
        tolerance: on the squared shift.

    Returns:
        Labels ``(R, n)`` int32 and the R inertias, sums of squared distances to the own centre.
    """
    restarts, k, dims = seeds.shape
    count, rows = len(points), points.numpy()
    columns = torch.cat([points, points.new_ones(count, 1)], dim=1).T.contiguous()  # (d + 1, n)
    centres = torch.cat([seeds, -seeds.square().sum(dim=2, keepdim=True) / 2], dim=2).numpy()
    labels = np.full((restarts, count), -1, dtype=np.int32)
    sums, sizes = np.zeros((restarts, k, dims)), np.zeros((restarts, k), dtype=np.int64)
    buffer = points.new_empty(restarts * k, count)

    def nearness(running: list[int]) -> np.ndarray:
        stacked = torch.from_numpy(centres[running].reshape(-1, dims + 1))
        product = torch.mm(stacked, columns, out=buffer[: len(stacked)])
        return product.numpy().reshape(len(running), k, count)

    running, stopped_early = list(range(restarts)), list(range(restarts))
    for _ in range(max_iterations):
        still = []
        for near, r in zip(nearness(running), running, strict=True):
            moved = _assign(near, rows, labels[r], sums[r], sizes[r])
            if (sizes[r] == 0).any():
                _fill_empty(rows, centres[r], labels[r], sums[r], sizes[r])
            shift = _move(centres[r], sums[r], sizes[r])
            if moved == 0:
                stopped_early.remove(r)
            elif shift > tolerance:
                still.append(r)
        running = still
        if not running:
            break
    if stopped_early:
        for near, r in zip(nearness(stopped_early), stopped_early, strict=True):
            _assign(near, rows, labels[r], sums[r], sizes[r])
    return labels, [_inertia(rows, centres[r], labels[r]) for r in range(restarts)]


@_compiled
def _assign(near, points, labels, sums, sizes):  # type: ignore[no-untyped-def]
    """Gives every point to its nearest centre, given ``near`` ``(k, n)``; returns how many moved."""
    k, count = near.shape
    best, nearest = near[0].copy(), np.zeros(count, np.int32)
    for c in range(1, k):
        for i in range(count):
            nearest[i] = c if near[c, i] > best[i] else nearest[i]
            best[i] = max(best[i], near[c, i])
    moved = 0
    for i in range(count):
        before, after = labels[i], nearest[i]
        if before == after:
            continue
        moved += 1
        labels[i] = after
        sizes[after] += 1
        for j in range(points.shape[1]):
            sums[after, j] += points[i, j]
        if before >= 0:
            sizes[before] -= 1
            for j in range(points.shape[1]):
                sums[before, j] -= points[i, j]
    return moved


@_compiled
def _move(centres, sums, sizes):  # type: ignore[no-untyped-def]
    """Moves the centres to the means of their points; returns the total squared shift."""
    dims = sums.shape[1]
    shift = 0.0
    for c in range(len(sizes)):
        square = 0.0
        for j in range(dims):
            centre = np.float32(sums[c, j] / sizes[c])
            shift += np.float64(centre - centres[c, j]) ** 2
            square += np.float64(centre) ** 2
            centres[c, j] = centre
        centres[c, dims] = -square / 2
    return shift


@_compiled
def _squared_distance(points, i, centres, c):  # type: ignore[no-untyped-def]
    square = np.float32(0)
    for j in range(points.shape[1]):
        square += (points[i, j] - centres[c, j]) ** 2
    return square


@_compiled
def _inertia(points, centres, labels):  # type: ignore[no-untyped-def]
    inertia = 0.0
    for i in range(len(labels)):
        inertia += _squared_distance(points, i, centres, labels[i])
    return inertia


@_compiled
def _fill_empty(points, centres, labels, sums, sizes):  # type: ignore[no-untyped-def]
    """Gives every empty cluster the point farthest from its own centre."""
    for c in range(len(sizes)):
        if sizes[c] > 0:
            continue
        farthest, distance = 0, np.float32(-1)
        for i in range(len(labels)):
            square = _squared_distance(points, i, centres, labels[i])
            if square > distance and sizes[labels[i]] > 1:
                farthest, distance = i, square
        sizes[labels[farthest]] -= 1
        for j in range(points.shape[1]):
            sums[labels[farthest], j] -= points[farthest, j]
            sums[c, j] = points[farthest, j]
        sizes[c], labels[farthest] = 1, c


def lloyd_batched(
    points: Tensor, seeds: Tensor, max_iterations: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Runs Lloyd's iterations of all restarts side by side, each until its own end.

    The updates and the stopping rule are those of :func:`vfm_fusion.metrics.lloyd.lloyd`.

    Args:
        points: ``(n, d)`` float32, centred.
        seeds: ``(R, k, d)`` float32 first centres of R restarts.
        max_iterations: limit.
        tolerance: on the squared shift of all centres of a restart together.

    Returns:
        Labels ``(R, n)`` int64 and inertias ``(R,)`` float64.
    """
    restarts = len(seeds)
    centres = seeds.clone()
    labels = torch.full((restarts, len(points)), -1, device=points.device)
    moving = torch.arange(restarts, device=points.device)
    for _ in range(max_iterations):
        nearest = _nearest(points, centres[moving])
        moved = (nearest != labels[moving]).any(dim=1)
        labels[moving] = nearest
        means = _means(points, nearest, centres[moving])
        shift = (means - centres[moving]).double().square().sum(dim=(1, 2))
        centres[moving] = means
        moving = moving[moved & (shift > tolerance)]
        if not len(moving):
            break
    labels = _nearest(points, centres)
    own = centres.gather(1, labels[..., None].expand(-1, -1, points.shape[1]))  # (R, n, d)
    return labels, (points - own).square().sum(dim=2).sum(dim=1, dtype=torch.float64)


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest of ``(R, k, d)`` centres for every point, ``(R, n)`` int64."""
    products = torch.einsum("rkd,nd->rkn", centres, points)
    return (products - centres.square().sum(dim=2, keepdim=True) / 2).argmax(dim=1)


def _means(points: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Means of the points of every cluster, ``(R, k, d)``; an empty one takes its farthest point."""
    k = centres.shape[1]
    member = torch.nn.functional.one_hot(labels, k).double()  # (R, n, k)
    counts = member.sum(dim=1)  # (R, k)
    means = (member.transpose(1, 2) @ points.double() / counts[..., None]).float()
    for restart, cluster in (counts == 0).nonzero().tolist():
        own = centres[restart][labels[restart]]
        farthest = (points - own).square().sum(dim=1).argmax()
        labels[restart, farthest] = cluster
        return _means(points, labels, centres)
    return means
