"""Exact principal components of z-scored features."""

from __future__ import annotations

import scipy.linalg
import torch
from torch import Tensor

from vfm_fusion.metrics.feature_map import FeatureMap, self_product


def leading_eigenvectors(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the ``count`` largest eigenpairs of a symmetric matrix, solved in float64.

    Args:
        matrix: ``(N, N)``.
        count: how many, at most N.

    Returns:
        Eigenvalues ``(count,)`` in descending order and eigenvectors ``(N, count)``, float64.
    """
    size = matrix.shape[0]
    values, vectors = scipy.linalg.eigh(
        matrix.double().numpy(),
        subset_by_index=[size - count, size - 1],
        overwrite_a=True,
        check_finite=False,
    )
    order = slice(None, None, -1)
    return torch.from_numpy(values[order].copy()), torch.from_numpy(vectors[:, order].copy())


def principal_scores(centred: Tensor, count: int, covariance: Tensor | None = None) -> Tensor:
    """Projects observations on their ``count`` leading principal axes, without whitening.

    Exact: an eigendecomposition of the covariance, or of the Gram matrix where that is smaller; never a
    subsample nor a truncated iteration. The sign of a component is arbitrary.

    Args:
        centred: ``(C, n)`` float32, one observation per column, each row of mean 0.
        count: components, at most min(C, n).
        covariance: ``centred @ centred.T`` up to a factor, if it is known.

    Returns:
        ``(count, n)`` float32.
    """
    channels, observations = centred.shape
    if covariance is None and observations < channels:
        values, vectors = leading_eigenvectors(
            self_product(centred.T.contiguous()), count
        )  # Gram matrix (n, n)
        return (vectors * values.clamp_min(0).sqrt()).T.float().contiguous()
    _, axes = leading_eigenvectors(self_product(centred) if covariance is None else covariance, count)
    return axes.T.float() @ centred  # (count, C) @ (C, n)


def first_component_map(features: FeatureMap) -> Tensor:
    """Returns the first principal component of the z-scored channels, scaled to [0, 1].

    Map (i) of the paper's EF preprocessing (Sec. 3.2.2): M = v1^T z, min-max over all pixels. The principal
    axis v1 comes from all pixels; subsampling or a few power iterations change the map visibly. Its sign is
    arbitrary, so M and 1 - M are the same map; their gradients are equal.

    Returns:
        ``(H, W)`` float32 in [0, 1].
    """
    covariance = features.covariance if features.channels <= features.pixels else None
    component = principal_scores(features.zscored, 1, covariance)[0]  # (H*W,)
    low, high = torch.aminmax(component)
    return component.sub(low).div_(high - low).view(features.height, features.width)
