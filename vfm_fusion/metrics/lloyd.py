"""Lloyd's k-means from given seeds, exact and compiled: distances that cannot matter are not computed."""

from __future__ import annotations

import numpy as np
from numba import njit

_SLACK = np.float32(1 + 1e-4)
"""Bounds are widened by this factor, far more than float32 distances are off by."""

_compiled = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


@_compiled
def lloyd(points, seeds, max_iterations, tolerance):  # type: ignore[no-untyped-def]
    """Runs Lloyd's iterations (scikit-learn's: same updates, same order, same stopping rule).

    Hamerly's bounds (SDM 2010) skip points whose nearest centre cannot have changed: ``upper`` bounds the
    distance to the own centre from above, ``lower`` that to every other from below, and no other centre is
    nearer than half the gap between centres. Sums over clusters are float64 and updated by the points that
    moved; distances are float32. It stops when no label changes, or when the squared shift of all centres
    together is at most ``tolerance``. An empty cluster takes the point farthest from its own centre.

    Args:
        points: ``(n, d)`` float32, C order, centred.
        seeds: ``(k, d)`` float32 first centres, C order.
        max_iterations: limit.
        tolerance: float.

    Returns:
        Labels ``(n,)`` int32 and the inertia, the sum of squared distances to the own centre.
    """
    n, dims = points.shape
    k = seeds.shape[0]
    centres, halves, products = seeds.copy(), np.empty(k, np.float32), np.empty(k, np.float32)
    squares, labels = _squares(points), np.zeros(n, np.int32)
    upper, lower = np.empty(n, np.float32), np.empty(n, np.float32)
    sums, counts = np.zeros((k, dims)), np.zeros(k, np.int64)
    shift, gaps = np.empty(k, np.float32), np.empty(k, np.float32)
    candidates = np.arange(n).astype(np.int32)
    count, first = n, True
    for _ in range(max_iterations):
        halves[:] = _squares(centres) / 2
        moved = 0
        for i in candidates[:count]:
            nearest, near, next_ = _two_nearest(points, i, centres, halves, products)
            upper[i] = np.sqrt(max(squares[i] - 2 * near, np.float32(0)))
            lower[i] = np.sqrt(max(squares[i] - 2 * next_, np.float32(0)))
            own = labels[i]
            if nearest != own or first:
                moved += 1
                labels[i] = nearest
                counts[nearest] += 1
                counts[own] -= 0 if first else 1
                for j in range(dims):
                    sums[nearest, j] += points[i, j]
                    sums[own, j] -= np.float32(0) if first else points[i, j]
        _fill_empty(points, squares, centres, halves, labels, upper, lower, sums, counts)
        total = _move(centres, sums, counts, shift)
        if moved == 0 or total <= tolerance:
            break
        first = False
        count = _candidates(points, squares, centres, labels, upper, lower, shift, gaps, candidates)
    if moved > 0:
        halves[:] = _squares(centres) / 2
        for i in range(n):
            labels[i] = _two_nearest(points, i, centres, halves, products)[0]
    inertia = 0.0
    for i in range(n):
        square = np.float32(0)
        for j in range(dims):
            square += (points[i, j] - centres[labels[i], j]) ** 2
        inertia += square
    return labels, inertia


@_compiled
def _squares(rows):  # type: ignore[no-untyped-def]
    squares = np.empty(rows.shape[0], np.float32)
    for i in range(rows.shape[0]):
        square = np.float32(0)
        for j in range(rows.shape[1]):
            square += rows[i, j] * rows[i, j]
        squares[i] = square
    return squares


@_compiled
def _product(points, i, centres, c):  # type: ignore[no-untyped-def]
    product = np.float32(0)
    for j in range(points.shape[1]):
        product += points[i, j] * centres[c, j]
    return product


@_compiled
def _two_nearest(points, i, centres, halves, products):  # type: ignore[no-untyped-def]
    """Nearest centre of a point, and x.c - |c|^2 / 2 of the two nearest (larger is nearer)."""
    k = centres.shape[0]
    for c in range(k):
        products[c] = _product(points, i, centres, c) - halves[c]
    nearest, near, next_ = 0, products[0], np.float32(-np.inf)
    for c in range(1, k):
        product = products[c]
        next_ = max(next_, min(near, product))
        nearest = c if product > near else nearest
        near = max(near, product)
    return nearest, near, next_


@_compiled
def _candidates(  # type: ignore[no-untyped-def]
    points, squares, centres, labels, upper, lower, shift, gaps, candidates
):
    """Loosens the bounds by the centres' shifts and lists the points that they no longer hold in place."""
    halves = _squares(centres) / 2
    _half_gaps(centres, gaps)
    farthest = np.argmax(shift)
    largest, others = shift[farthest], np.float32(0)
    for c in range(shift.size):
        others = max(others, shift[c] if c != farthest else np.float32(0))
    count = 0
    for i in range(points.shape[0]):
        own = labels[i]
        upper[i] = (upper[i] + shift[own]) * _SLACK
        lower[i] -= (others if own == farthest else largest) * _SLACK
        candidates[count] = i
        count += 1 if upper[i] > max(gaps[own], lower[i]) else 0
    remaining = 0
    for q in range(count):
        i = candidates[q]
        own = labels[i]
        product = _product(points, i, centres, own) - halves[own]
        upper[i] = np.sqrt(max(squares[i] - 2 * product, np.float32(0))) * _SLACK
        candidates[remaining] = i
        remaining += 1 if upper[i] > max(gaps[own], lower[i]) else 0
    return remaining


@_compiled
def _half_gaps(centres, gaps):  # type: ignore[no-untyped-def]
    """Half the distance of every centre to the nearest other."""
    gaps[:] = np.inf
    for a in range(centres.shape[0]):
        for b in range(a):
            square = np.float32(0)
            for j in range(centres.shape[1]):
                square += (centres[a, j] - centres[b, j]) ** 2
            half = np.sqrt(square) / 2
            gaps[a] = min(gaps[a], half)
            gaps[b] = min(gaps[b], half)


@_compiled
def _move(centres, sums, counts, shift):  # type: ignore[no-untyped-def]
    """Moves the centres to the means of their points; returns the total squared shift."""
    total = 0.0
    for c in range(centres.shape[0]):
        square = 0.0
        for j in range(centres.shape[1]):
            centre = np.float32(sums[c, j] / counts[c])
            square += np.float64(centre - centres[c, j]) ** 2
            centres[c, j] = centre
        shift[c] = np.sqrt(square)
        total += square
    return total


@_compiled
def _fill_empty(  # type: ignore[no-untyped-def]
    points, squares, centres, halves, labels, upper, lower, sums, counts
):
    """Gives every empty cluster the point farthest from its own centre (scikit-learn's rule)."""
    for c in range(counts.size):
        if counts[c] > 0:
            continue
        farthest, distance = 0, np.float32(-np.inf)
        for i in range(points.shape[0]):
            own = labels[i]
            square = squares[i] - 2 * (_product(points, i, centres, own) - halves[own])
            if square > distance and counts[own] > 1:
                farthest, distance = i, square
        own = labels[farthest]
        labels[farthest], upper[farthest], lower[farthest] = c, np.inf, 0
        counts[own] -= 1
        counts[c] = 1
        for j in range(points.shape[1]):
            sums[own, j] -= points[farthest, j]
            sums[c, j] = points[farthest, j]
