"""A linear probe in closed form: ridge regression of one-hot classes, for many sets of channels at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.metrics.principal import SymmetricProduct

_CONSTANT = 1e-7
"""A channel whose standard deviation is a smaller part of its root mean square does not vary."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of standardised channels.

    Attributes:
        blocks: which channels, ``slice`` of all, and their weights ``(K, c)`` float32.
        bias: ``(K,)`` float32.
    """

    blocks: tuple[tuple[slice, Tensor], ...]
    bias: Tensor

    def predict(self, tokens: Tensor) -> Tensor:
        """Returns the class of the highest score of standardised tokens ``(D, n)``, ``(n,)`` int64."""
        scores = self.bias[:, None].expand(-1, tokens.shape[1])
        for rows, weights in self.blocks:
            scores = scores + weights @ tokens[rows]
        return scores.argmax(dim=0)


class _Moments(NamedTuple):
    mean: Tensor
    scale: Tensor
    correlation: Tensor
    targets: Tensor
    shares: Tensor


class ProbeSums:
    """Sums over labelled tokens from which the ridge regression on any of their channels follows.

    With z the channels standardised over all tokens and y the one-hot classes, the probe of some channels is
    (R + ridge I)^-1 r, R and r the blocks of E[z z'] and E[z (y - E y)'] that these channels have. So one
    pass over the tokens serves every fused pyramid whose maps are among them.

    Args:
        channels: D, of all maps together.
        classes: K.
    """

    def __init__(self, channels: int, classes: int) -> None:
        self._count, self._classes = 0, classes
        self._product = SymmetricProduct(channels, torch.device("cpu"), torch.float64)
        self._sum = torch.zeros(channels, dtype=torch.float64)
        self._of_class = torch.zeros(channels, classes, dtype=torch.float64)
        self._tokens_of_class = torch.zeros(classes, dtype=torch.float64)

    def add(self, tokens: Tensor, labels: Tensor) -> None:
        """Adds tokens ``(D, n)`` and their classes ``(n,)`` int64 in [0, K)."""
        tokens, truth = tokens.double(), F.one_hot(labels, self._classes).double()  # (n, K)
        self._count += tokens.shape[1]
        self._product.add(tokens)
        self._sum += tokens.sum(dim=1)
        self._of_class += tokens @ truth
        self._tokens_of_class += truth.sum(dim=0)

    def standardise(self, tokens: Tensor) -> Tensor:
        """Standardises tokens ``(D, n)`` as those that were added are, ``(D, n)`` float32."""
        moments = self._moments
        return (tokens - moments.mean[:, None].float()).mul_(moments.scale[:, None].float())

    def probe(self, maps: Sequence[slice], ridge: float) -> LinearProbe:
        """Solves for the probe of some channels.

        Args:
            maps: the channels, as slices of all that do not overlap.
            ridge: what is added to the diagonal of R, which is 1.
        """
        moments = self._moments
        index = torch.cat([torch.arange(rows.start, rows.stop) for rows in maps])
        matrix = moments.correlation[index][:, index]
        matrix.diagonal().add_(ridge)
        solved = torch.cholesky_solve(moments.targets[index], torch.linalg.cholesky(matrix))  # (d, K)
        weights = solved.T.float().split([rows.stop - rows.start for rows in maps], dim=1)
        return LinearProbe(tuple(zip(maps, weights, strict=True)), moments.shares.float())

    @cached_property
    def _moments(self) -> _Moments:
        """Moments of the tokens added, once all are; a channel that does not vary gets the weight 0."""
        mean, square = self._sum / self._count, self._product.total().div_(self._count)
        power = square.diagonal().clone()
        square.addr_(mean, mean, alpha=-1.0)  # the covariance
        spread = square.diagonal().clamp_min(0.0).sqrt()
        scale = torch.where(spread > _CONSTANT * power.sqrt(), 1.0 / spread, 0.0)
        square.mul_(scale[:, None]).mul_(scale)
        shares = self._tokens_of_class / self._count
        targets = (self._of_class / self._count - mean[:, None] * shares) * scale[:, None]
        return _Moments(mean, scale, square, targets, shares)


def hits_and_unions(truth: Tensor, predicted: Tensor, classes: int) -> np.ndarray:
    """Counts pixels of every class: in both truth and prediction, and in either.

    Args:
        truth: ``(n,)`` int64 in [0, K).
        predicted: ``(n,)`` int64 in [0, K).
        classes: K.

    Returns:
        ``(2, K)`` int64.
    """
    hits = torch.bincount(truth[truth == predicted], minlength=classes)
    either = torch.bincount(truth, minlength=classes) + torch.bincount(predicted, minlength=classes)
    return torch.stack([hits, either - hits]).numpy()


def mean_iou(counts: np.ndarray) -> np.ndarray:
    """Averages the IoU over the classes that occur in truth or prediction, in percent.

    Args:
        counts: ``(..., 2, K)``, see :func:`hits_and_unions`, added up over images.

    Returns:
        ``(...)`` float64.
    """
    hits, unions = counts[..., 0, :], counts[..., 1, :]
    occurs = unions > 0
    iou = np.where(occurs, hits / np.where(occurs, unions, 1), 0.0)
    return 100.0 * iou.sum(axis=-1) / occurs.sum(axis=-1)
