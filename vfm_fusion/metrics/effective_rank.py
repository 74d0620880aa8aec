"""RankMe: how many dimensions the features of an image use (Garrido et al., ICML 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.reasons import Score, undefined

RANK_SCORES = ("rankme",)
"""Scores of a map that look neither at positions nor at the image, the same by every definition."""


def effective_rank(singular_values: Tensor) -> float:
    """Computes exp(-sum_k p_k ln p_k), p_k = s_k / sum s: the exponential of the entropy.

    The definition of Roy and Vetterli (2007), which Garrido et al. call RankMe. Their 1e-7, added to every
    p_k against the logarithm of 0, is left out: 0 ln 0 counts as 0.

    Args:
        singular_values: ``(K,)``, none negative, one of them positive.

    Returns:
        From 1, where one value is all there is, to K, where all are equal.
    """
    shares = singular_values.double() / singular_values.double().sum()
    return float(torch.special.entr(shares).sum().exp())


def rankme(features: FeatureMap) -> Score:
    """Computes the RankMe of an image's tokens, the ``(n, C)`` matrix of its features as they are.

    Garrido et al. take one vector of each of many images. A map for dense prediction has many vectors of one
    image, so here the score is the image's and a profile averages it over images, with an interval, as it
    does SC and EF. It is at most min(n, C): across strides it compares maps of unlike n. A map that repeats
    the pixels of a coarser one has that one's RankMe.

    Args:
        features: the map.

    Returns:
        RankMe in [1, min(n, C)]; higher means that more directions are used.
    """
    if features.reason is not None:
        return undefined(features.reason)
    return Score(effective_rank(features.tokens.singular_values))
