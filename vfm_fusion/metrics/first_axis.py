"""The first principal component of many wide tokens without their covariance, to a tested accuracy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Operator = Callable[[Tensor], tuple[Tensor, Tensor]]

MAX_PASSES = 12
"""Passes over the tokens after which a covariance would have been cheaper."""

ACCURACY = 1e-5
"""Largest angle (radians) between the axis found and the true one."""


def first_component(scores_and_product: Operator, values: Tensor, axes: Tensor) -> Tensor | None:
    """Finds the scores of all tokens on the leading eigenvector of their covariance A.

    Davidson's method (1975): the best vector v of a growing space (Rayleigh-Ritz) is improved by its residual
    r = A v - theta v, preconditioned by the spectrum of a sample of the tokens. It is accepted when
    |r| <= accuracy * (theta - lambda_2), which bounds its angle to the true axis (Davis and Kahan 1970);
    lambda_2 is the larger of the second Ritz value and that of the sample.

    Args:
        scores_and_product: for a ``(C,)`` float32 vector w, the scores ``(n,)`` of the tokens on w and A w;
            one pass over the tokens.
        values: ``(b,)`` leading eigenvalues of the sample's covariance, descending.
        axes: ``(C, b)`` float32, their eigenvectors.

    Returns:
        ``(n,)`` float32, or None where the leading eigenvalues are too close for this to pay.
    """
    direction, previous = axes[:, 0], float("inf")
    basis, images, scores = [], [], []
    for done in range(1, MAX_PASSES + 1):
        score, image = scores_and_product(direction)
        basis.append(direction)
        images.append(image)
        scores.append(score)
        space, mapped = torch.stack(basis, dim=1), torch.stack(images, dim=1)  # (C, done)
        projected = (space.T @ mapped).double()
        ritz, vectors = torch.linalg.eigh((projected + projected.T) / 2)
        theta, weights = ritz[-1], vectors[:, -1].float()
        second = max(float(values[1]), float(ritz[-2]) if done > 1 else 0.0)
        residual = mapped @ weights - theta.float() * (space @ weights)
        angle = float(torch.linalg.vector_norm(residual)) / max(float(theta) - second, 1e-3 * float(theta))
        if angle <= ACCURACY:
            return torch.stack(scores, dim=1) @ weights
        if done > 2 and angle * min(angle / previous, 1.0) ** (MAX_PASSES - done) > ACCURACY:
            return None
        previous = angle
        direction = _correction(residual, float(theta), values, axes)
        for _ in range(2):  # twice is enough
            direction = direction - space @ (space.T @ direction)
        direction = direction / torch.linalg.vector_norm(direction)
    return None


def _correction(residual: Tensor, theta: float, values: Tensor, axes: Tensor) -> Tensor:
    """Returns (theta - A~)^-1 residual; A~ has the sample's leading spectrum and is flat beyond it."""
    floor = 0.05 * theta  # keeps the correction finite where a sampled eigenvalue nearly is theta
    along = axes.T @ residual
    gaps = (theta - values).clamp_min(floor).float()
    beyond = max(theta - float(values[-1]) / 2, floor)
    return axes @ (along / gaps) + (residual - axes @ along) / beyond
