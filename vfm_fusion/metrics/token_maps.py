"""One image's channel vectors and the statistics that all scores derive from, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.principal import (
    SymmetricProduct,
    leading_eigenvectors,
    principal_scores,
    self_product,
)

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


CHANNEL_EPS = 1e-6
"""Added to a channel's standard deviation before dividing by it (released code)."""

CONSTANT_STD = 1e-12
"""A channel with a smaller standard deviation does not vary (released code)."""

_BLOCK_ELEMENTS = 1 << 18
"""Elements of a block of channels (1 MiB of float32), which stays in a core's cache while it is scanned."""

_COVARIANCE_LIMIT = 3e9
"""Operations of a covariance from which on the first axis is sought without one."""

_LARGE = 12 * _BLOCK_ELEMENTS
"""Elements of a block of tokens that is read twice (12 MiB of float32)."""

_START = 16
"""Axes that the search starts from."""

_STEADY = 100.0
"""Means up to this many standard deviations leave float32 products enough digits."""


class _Moments(NamedTuple):
    norms: Tensor
    mean: Tensor
    spread: Tensor


class Tokens:
    """The channel vectors ``(C, n)`` of one image, computed in float32 on their own device.

    Attributes:
        channels: C.
        count: n.
    """

    def __init__(self, features: Tensor) -> None:
        """Takes ``(C, n)`` of any floating-point type on any device; z-scored copies are never kept."""
        self.channels, self.count = features.shape
        self._features = features.detach().contiguous()
        self._axes = torch.empty(self.channels, 0)

    @cached_property
    def reason(self) -> str | None:
        """Why nothing can be said of these tokens (NaN, infinite, overflowing or constant), or None."""
        if not bool(self.norms.isfinite().all()):
            features = self._features.float()
            if bool(features.isnan().any()):
                return reasons.NAN_FEATURES
            return reasons.INF_FEATURES if bool(features.isinf().any()) else reasons.OVERFLOW_FEATURES
        return reasons.CONSTANT_FEATURES if bool((self._moments.spread < CONSTANT_STD).all()) else None

    @property
    def norms(self) -> Tensor:
        """Channel L2 norm of each token, ``(n,)`` float64."""
        return self._moments.norms

    def channel_blocks(self) -> Iterator[Tensor]:
        """Yields the z-scored tokens a few channels at a time, ``(c, n)`` float32.

        (x - mean_c) / (std_c + 1e-6), population standard deviation.
        """
        for rows in self._channel_slices():
            yield self._zscore(self._features[rows], rows)

    def at(self, indices: Tensor) -> Tensor:
        """Returns the z-scored tokens at ``indices`` ``(m,)``, ``(C, m)`` float32."""
        return self._zscore(self._features.index_select(1, indices), slice(None))

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the z-scored channels over all tokens, ``(C, C)`` float32 (divided by n)."""
        product = SymmetricProduct(self.channels, self._features.device)
        for block in self._split():
            product.add(self._zscore(block, slice(None)))
        return product.total().div_(self.count)

    @cached_property
    def singular_values(self) -> Tensor:
        """Singular values of the channel vectors as they are, neither centred nor scaled: ``(K,)`` float64.

        Square roots of the eigenvalues of the smaller of the two products with the transpose, in float64: in
        float32 rounding would leave a value of 3e-4 of the largest where there is none.
        """
        if self.count < self.channels:
            gram = self_product(self._features.double().T)  # (n, n)
        else:
            product = SymmetricProduct(self.channels, self._features.device, torch.float64)
            for block in self._split():
                product.add(block.double())
            gram = product.total()  # (C, C)
        return torch.linalg.eigvalsh(gram).clamp_min(0.0).sqrt()

    @cached_property
    def first_component(self) -> Tensor:
        """Score of each token on the first principal axis, ``(n,)`` float32; see :meth:`components`."""
        if self.count * self.channels**2 > _COVARIANCE_LIMIT and not self._axes.shape[1] and self._steady:
            component = first_component(self._scores_and_product, *self._sampled_axes())
            if component is not None:
                return component
        return self.components(1)[0]

    def components(self, count: int) -> Tensor:
        """Scores of the tokens on the leading principal axes of the z-scored channels.

        The axes come from all tokens; the sign of each is arbitrary.

        Args:
            count: at most min(C, n).

        Returns:
            ``(count, n)`` float32.
        """
        if self.count < self.channels:
            return principal_scores(self._zscore(self._features, slice(None)), count)
        axes = self.axes(count).T.float()  # (count, C)
        return torch.cat([axes @ self._zscore(block, slice(None)) for block in self._split()], dim=1)

    def axes(self, count: int) -> Tensor:
        """Leading principal axes of the z-scored channels, ``(C, count)`` float64; needs n >= C tokens."""
        if self._axes.shape[1] < count:
            self._axes = leading_eigenvectors(self.covariance, count)[1]
        return self._axes[:, :count]

    @cached_property
    def _moments(self) -> _Moments:
        """Norms ``(n,)`` and each channel's mean and standard deviation ``(C, 1)`` in one pass.

        A channel is shifted by its first value before its mean is taken, so that a constant channel becomes
        exactly 0 and a large mean costs the deviation no digits.
        """
        device = self._features.device
        squares = torch.zeros(self.count, dtype=torch.float64, device=device)
        mean, spread = torch.empty(2, self.channels, 1, device=device)
        for rows in self._channel_slices():
            block = self._features[rows].float()  # (c, n)
            squares += block.square().sum(dim=0)
            shifted = block - block[:, :1]
            offset = shifted.mean(dim=1, keepdim=True)
            shifted -= offset
            mean[rows] = block[:, :1] + offset
            spread[rows] = torch.linalg.vector_norm(shifted, dim=1, keepdim=True) / self.count**0.5
        return _Moments(squares.sqrt_(), mean, spread)

    def _zscore(self, block: Tensor, rows: slice) -> Tensor:
        moments = self._moments
        return (block.float() - moments.mean[rows]).div_(moments.spread[rows] + CHANNEL_EPS)

    def _channel_slices(self) -> Iterator[slice]:
        step = max(1, _BLOCK_ELEMENTS // self.count)
        return (slice(start, start + step) for start in range(0, self.channels, step))

    def _split(self, elements: int = 4 * _BLOCK_ELEMENTS) -> tuple[Tensor, ...]:
        """The tokens as they are, some at a time, ``(C, m)``."""
        return self._features.split(max(1, elements // self.channels), dim=1)

    @property
    def _mean(self) -> Tensor:
        return self._moments.mean[:, 0]

    @property
    def _scale(self) -> Tensor:
        return self._moments.spread[:, 0] + CHANNEL_EPS

    @property
    def _steady(self) -> bool:
        """Whether no channel's mean is so large that float32 loses its deviations in products."""
        return bool((self._mean.abs() <= _STEADY * self._scale).all())

    def _scores_and_product(self, axis: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the tokens on ``axis`` ``(C,)``, and their covariance times it: one pass, no z-scores."""
        weights = axis / self._scale
        offset = self._mean @ weights
        total, scores = torch.zeros_like(axis), []
        for tokens in self._split(_LARGE):
            tokens = tokens.float()
            scores.append(tokens.T @ weights - offset)  # (m,)
            total += tokens @ scores[-1]
        every = torch.cat(scores)
        return every, (total - self._mean * every.sum()) / (self._scale * self.count)

    def _sampled_axes(self) -> tuple[Tensor, Tensor]:
        """Leading eigenvalues and axes ``(C, 16)`` of evenly spaced tokens, where the search starts."""
        step = max(1, self.count // (4 * self.channels))
        sample = self.at(torch.arange(0, self.count, step, device=self._features.device))
        values, axes = leading_eigenvectors(self_product(sample), min(_START, self.channels))
        return values / sample.shape[1], axes.float().contiguous()
