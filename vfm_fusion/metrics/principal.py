"""Exact principal components of z-scored features."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from scipy.linalg.blas import dsyrk, ssyrk
from torch import Tensor

_STRIP = 512
"""Rows of a matrix that are mirrored at a time."""


class SymmetricProduct:
    """Sums ``block @ block.T`` over blocks of observations.

    On the CPU by a symmetric rank-k update, which costs half a general product.
    """

    def __init__(self, size: int, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        """Starts at zero, ``(size, size)``, in float32 or float64."""
        if device.type == "cpu":
            self._update, kind = (dsyrk, np.float64) if dtype == torch.float64 else (ssyrk, np.float32)
            self._upper = np.zeros((size, size), dtype=kind, order="F")
        else:
            self._sum = torch.zeros(size, size, device=device, dtype=dtype)
        self._device = device

    def add(self, block: Tensor) -> None:
        """Adds ``block @ block.T``, block ``(size, m)`` of the type of the sum."""
        if self._device.type == "cpu":
            observations = block.contiguous().numpy().T  # (m, size), Fortran order
            self._upper = self._update(1.0, observations, beta=1.0, c=self._upper, trans=1, overwrite_c=1)
        else:
            self._sum.addmm_(block, block.T)

    def total(self) -> Tensor:
        """Returns the sum, ``(size, size)``, exactly symmetric: on the CPU not a copy, but the sum itself."""
        if self._device.type != "cpu":
            return (self._sum + self._sum.T).div_(2)
        whole = torch.from_numpy(self._upper)
        for start in range(0, len(whole), _STRIP):
            rows = slice(start, start + _STRIP)
            whole[rows, :start] = whole[:start, rows].T
            corner = whole[rows, rows]
            corner.copy_(corner.triu() + corner.triu(diagonal=1).T)
        return whole


def self_product(matrix: Tensor) -> Tensor:
    """Returns ``matrix @ matrix.T``, ``(N, N)``, for ``matrix`` ``(N, n)`` float32 or float64."""
    product = SymmetricProduct(matrix.shape[0], matrix.device, matrix.dtype)
    product.add(matrix)
    return product.total()


def leading_eigenvectors(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the ``count`` largest eigenpairs of a symmetric matrix, solved in float64.

    Args:
        matrix: ``(N, N)``.
        count: how many, at most N.

    Returns:
        Eigenvalues ``(count,)`` in descending order and eigenvectors ``(N, count)``, float64.
    """
    if not matrix.is_cpu:
        values, vectors = torch.linalg.eigh(matrix.double())
        return values[-count:].flip(0), vectors[:, -count:].flip(1)
    size = matrix.shape[0]
    values, vectors = scipy.linalg.eigh(
        matrix.double().numpy(),
        subset_by_index=[size - count, size - 1],
        overwrite_a=True,
        check_finite=False,
    )
    order = slice(None, None, -1)
    return torch.from_numpy(values[order].copy()), torch.from_numpy(vectors[:, order].copy())


def principal_scores(centred: Tensor, count: int) -> Tensor:
    """Projects observations on their ``count`` leading principal axes, without whitening.

    Exact: an eigendecomposition of the covariance, or of the Gram matrix where that is smaller; never a
    subsample nor a truncated iteration. The sign of a component is arbitrary.

    Args:
        centred: ``(C, n)`` float32, one observation per column, each row of mean 0.
        count: components, at most min(C, n).

    Returns:
        ``(count, n)`` float32.
    """
    channels, observations = centred.shape
    if observations < channels:
        gram = self_product(centred.T.contiguous())  # (n, n)
        values, vectors = leading_eigenvectors(gram, count)
        return (vectors * values.clamp_min(0).sqrt()).T.float().contiguous()
    axes = leading_eigenvectors(self_product(centred), count)[1]
    return axes.T.float() @ centred  # (count, C) @ (C, n)
