"""SC_GT, the supervised counterpart of SC: its two questions, asked of ground-truth regions (paper, RQ4).

The paper names such a counterpart "using semantic and instance labels" and gives no formula. Here it is SC
with the regions of an annotation in place of what SC has to guess: k-means clusters (SCS) and grid cells
(SFC). Everything else, from the z-scored channels to the drawn pixels and the PCA, is SC's own, so that the
two differ by the regions alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.clustering import clustering_points, drawn_pixels, mean_silhouette, silhouette_sample
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.spectrum import clip_deviations
from vfm_fusion.metrics.structural_coherence import coherence

SUPERVISED_SCORES = ("sfc_gt", "scs_gt", "sc_gt")
"""The sub-scores of SC_GT, then SC_GT."""

UNLABELLED = -1
"""Region of the pixels that are left out."""


def regions_on_grid(regions: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Brings a region map to the size of a feature map: each feature pixel takes the region at its centre.

    Args:
        regions: ``(H0, W0)`` integer.
        size: (H, W) of the feature map.

    Returns:
        ``(H, W)`` int64.

    Raises:
        ShapeError: the map is not ``(H0, W0)`` of integers.
    """
    if regions.ndim != 2 or not np.issubdtype(regions.dtype, np.integer):
        raise ShapeError(f"regions must be (H0, W0) integers, got {regions.dtype} {regions.shape}")
    rows, columns = (
        (2 * np.arange(wanted) + 1) * given // (2 * wanted)
        for wanted, given in zip(size, regions.shape, strict=True)
    )
    return torch.from_numpy(regions[np.ix_(rows, columns)].astype(np.int64))


def score_regions(features: FeatureMap, regions: Tensor, config: MetricConfig) -> dict[str, Score]:
    """Computes sfc_gt, scs_gt and sc_gt = sqrt(sfc_gt * scs_gt) of one map for one kind of regions.

    Args:
        features: the map of one image.
        regions: ``(H, W)`` int64 region of each pixel; negative where there is none.
        config: the definition of SC.

    Returns:
        Each in [0, 1], or NaN with a reason.

    Raises:
        ShapeError: the regions have another size than the map.
    """
    if regions.shape != (features.height, features.width):
        raise ShapeError(
            f"the regions are {tuple(regions.shape)}, the map {(features.height, features.width)}; "
            "bring them to its size first (regions_on_grid)"
        )
    if features.reason is not None:
        return dict.fromkeys(SUPERVISED_SCORES, undefined(features.reason))
    regions = regions.to(features.device)
    sfc, scs = region_contrast(features, regions, config), region_silhouette(features, regions, config)
    return dict(zip(SUPERVISED_SCORES, (sfc, scs, coherence(sfc, scs)), strict=True))


def region_contrast(features: FeatureMap, regions: Tensor, config: MetricConfig) -> Score:
    """Computes SFC (Eq. 1) with ground-truth regions in place of grid cells.

    Var(mu_r) / (Var(mu_r) + Mean(sigma_r^2)) on the z-scored L2 map, mu_r and sigma_r^2 the mean and
    population variance in region r. Var and Mean weigh a region by its share w_r = n_r / n of the labelled
    pixels: Var(mu_r) = sum_r w_r (mu_r - sum_q w_q mu_q)^2, Mean(sigma_r^2) = sum_r w_r sigma_r^2. For
    regions of equal size that is SFC itself; the two add up to the variance of the labelled pixels.

    Labels that say nothing of the features do not give 0: k regions of n pixels in random order have an
    expected contrast of (k - 1) / (n - 1), which counts where a coarse map leaves few pixels to a region.

    Args:
        features: the map of one image.
        regions: ``(H, W)`` int64; negative pixels and regions of a single pixel are left out.
        config: ``l2_clip`` is read.
    """
    if features.l2 is None:
        return undefined(reasons.CONSTANT_L2)
    plane = features.l2 if config.l2_clip is None else clip_deviations(features.l2, config.l2_clip)
    member = numbered(regions.flatten())
    kept = member >= 0
    if not bool((member > 0).any()):
        return undefined(reasons.FEWER_THAN_TWO_REGIONS)
    values, member = plane.flatten().double()[kept], member[kept]
    sizes = torch.bincount(member).double()
    means = torch.bincount(member, values) / sizes
    within = (values - means[member]).square().sum() / values.numel()
    between = (sizes * (means - values.mean()).square()).sum() / values.numel()
    if float(between + within) == 0.0:
        return undefined(reasons.CONSTANT_L2)
    return Score(float(between / (between + within)))


def region_silhouette(features: FeatureMap, regions: Tensor, config: MetricConfig) -> Score:
    """Computes SCS (Eq. 2) with ground-truth regions in place of k-means clusters: (S + 1) / 2.

    S is the mean Euclidean silhouette of the very points that SCS clusters (z-scored channels of the drawn
    pixels, after PCA), grouped by region and subsampled in the same stratified way.

    Args:
        features: the map of one image.
        regions: ``(H, W)`` int64; negative pixels and regions of fewer than two drawn pixels are left out.
        config: ``max_points``, ``pca_dims``, ``silhouette_points`` and ``seed`` are read.
    """
    drawn = drawn_pixels(features.pixels, config.max_points, np.random.default_rng(config.seed))
    member = numbered(regions.flatten()[torch.from_numpy(drawn).to(regions.device)])
    if not bool((member > 0).any()):
        return undefined(reasons.FEWER_THAN_TWO_REGIONS)
    rng = np.random.default_rng(config.seed)
    points = clustering_points(features, config, rng)  # its first draw is `drawn`
    kept = torch.nonzero(member >= 0)[:, 0]
    sample = silhouette_sample(member[kept].cpu().numpy(), config.silhouette_points, rng)
    chosen = kept[torch.from_numpy(sample).to(kept.device)]
    return Score((mean_silhouette(points[chosen], member[chosen]) + 1.0) / 2.0)


def numbered(regions: Tensor) -> Tensor:
    """Numbers the regions that have two pixels from 0; the others and negative ones become -1.

    Args:
        regions: ``(n,)`` int64.

    Returns:
        ``(n,)`` int64 in [-1, k).
    """
    names, inverse, sizes = torch.unique(regions, return_inverse=True, return_counts=True)
    kept = (sizes >= 2) & (names >= 0)
    numbers = torch.where(kept, kept.cumsum(0) - 1, UNLABELLED)
    return numbers[inverse]
