"""Linear CKA: how alike two encoders' maps of the same images are (Kornblith et al., ICML 2019)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.reasons import Score, undefined

_FEWEST_TOKENS = 4


def unbiased_hsic(x: Tensor, y: Tensor) -> Score:
    """Estimates HSIC of two linear kernels from n tokens, without bias (Song et al., JMLR 2012, Eq. 5).

    With K = X'X, L = Y'Y and zeros on both diagonals::

        HSIC = [tr(KL) + 1'K1 1'L1 / ((n-1) (n-2)) - 2 / (n-2) 1'KL1] / (n (n-3))

    The plain estimate ||XY'||^2 of the same tokens grows with the number of channels whatever they hold: with
    more channels than tokens, as on coarse maps, any two maps look alike. No kernel is written out: channels
    are centred, which changes nothing, and then K1 and L1 are minus the diagonals that were taken away.

    Args:
        x: ``(C, n)`` floating point.
        y: ``(C', n)``, of the same n tokens.

    Returns:
        HSIC, 0 on average for independent maps, so that it may be negative. NaN, with the reason, for fewer
        than four tokens and for features that are not finite.
    """
    n = x.shape[1]
    if n < _FEWEST_TOKENS:
        return undefined(reasons.TOO_FEW_PIXELS)
    x, y = (z.float() - z.mean(dim=1, keepdim=True, dtype=torch.float64).float() for z in (x, y))
    in_common = (x @ y.T).double().square().sum()
    k, m = (z.square().sum(dim=0, dtype=torch.float64) for z in (x, y))  # the diagonals, (n,)
    product = k @ m
    total = float(in_common - product + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2.0 / (n - 2) * product)
    return Score(total / (n * (n - 3))) if math.isfinite(total) else undefined(reasons.NAN_FEATURES)


def linear_cka(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """Computes CKA from HSIC, averaged over images: mean xy / sqrt(mean xx * mean yy).

    The estimator of Nguyen et al. (ICLR 2021), whose batches are here the tokens of an image: it compares
    what two maps tell apart within images, needs no more memory however many images there are, and is as
    little biased with few tokens as with many. It is 1 for maps that are equal up to rotation, scale and
    offset, and close to 0, of either sign, for independent ones.

    Args:
        xy: ``(..., images)`` HSIC of the two maps.
        xx: ``(..., images)`` HSIC of the first with itself.
        yy: ``(..., images)`` HSIC of the second with itself.

    Returns:
        ``(...)`` float64, NaN where one of the maps does not vary.
    """
    mean_xy, mean_xx, mean_yy = (np.asarray(h, np.float64).mean(axis=-1) for h in (xy, xx, yy))
    varies = (mean_xx > 0) & (mean_yy > 0)
    spread = np.sqrt(np.where(varies, mean_xx * mean_yy, 1.0))
    return np.where(varies, mean_xy / spread, np.nan)
