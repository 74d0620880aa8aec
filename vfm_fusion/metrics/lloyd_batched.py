"""Lloyd's k-means of several restarts at once, as matrix products: for accelerators."""

from __future__ import annotations

import torch
from torch import Tensor


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
