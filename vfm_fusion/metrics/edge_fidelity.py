"""Edge Fidelity (EF, Eq. 4-8): do feature maps have their edges where the image has them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.concentration import concentration
from vfm_fusion.metrics.displacement import precision
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import EdgeRegions, edge_regions
from vfm_fusion.metrics.inputs import check_features, check_images, unit_range
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.spectrum import frequency
from vfm_fusion.metrics.threads import one_thread

EF_SCORES = ("ec", "nc", "fc", "sp", "ef")
"""The sub-scores of EF, then EF."""


@dataclass(frozen=True)
class EdgeFidelity:
    """Edge Fidelity of a batch; every score is ``(B,)`` float64 on the CPU, NaN where undefined.

    Attributes:
        ec: Edge Concentration (Eq. 4), in [0, 1].
        nc: Near-edge Concentration (Eq. 5), in [0, 1].
        fc: Frequency Content (Eq. 6), in [0, 1].
        sp: Spatial Precision (Eq. 7), in (0, 1).
        ef: the composite (Eq. 8), in [0, 100] at the default scale.
        reasons: per score, why it is undefined for each image (None where it is defined).
    """

    ec: Tensor
    nc: Tensor
    fc: Tensor
    sp: Tensor
    ef: Tensor
    reasons: dict[str, tuple[str | None, ...]]


@one_thread
def edge_fidelity(features: Tensor, images: Tensor, config: MetricConfig | None = None) -> EdgeFidelity:
    """Scores how faithfully features keep the edges of their images (paper, Sec. 3.2.2).

    Image edges: the image is resized to (H, W) and turned into luminance; the top 10 % of its Sobel gradient
    are edges, their local maxima the centreline; A_in is the centreline dilated by r_in = 2, A_near the band
    up to r_out = 4. With G the Sobel magnitude of the first principal component map, and the z-scored L2 map:

    - EC (Eq. 4) = sum over A_in of G / sum of G.
    - NC (Eq. 5) = sum over A_near of G / sum of G outside A_in (or / sum of G with ``nc_norm="total"``).
    - FC (Eq. 6) = share of the L2 map's windowed power spectrum at rho >= .15.
    - SP (Eq. 7) = 1 / (1 + r_tau * s / 64), r_tau the shift at which the L2 map decorrelates.
    - EF (Eq. 8) = 100 * EC * NC * FC * SP.

    Sums run over the valid region, all but a border of one pixel. The functions behind each term are public:
    ``image_edges``, ``feature_map``, ``spectrum``, ``displacement``; what other presets change in them is
    said where :class:`~vfm_fusion.config.metrics.MetricConfig` names the setting.

    Args:
        features: ``(B, C, H, W)``, any floating-point type and device; computed in float32 where they are,
            sums in float64.
        images: ``(B, 3, H0, W0)`` RGB, uint8 or floating point in [0, 1].
        config: the definition; by default the preset ``paper``.

    Returns:
        The scores. Each image is scored by itself.

    Raises:
        ShapeError: a shape, dtype or range is not as above.
    """
    check_features(features)
    check_images(images, batch=features.shape[0])
    config = config or MetricConfig()
    rows = []
    for feature, image in zip(features, images, strict=True):
        regions = edge_regions(unit_range(image[None], features.device), tuple(features.shape[-2:]), config)
        rows.append(score_edges(FeatureMap(feature), regions, tuple(images.shape[-2:]), config))
    return EdgeFidelity(
        **{name: reasons.values([row[name] for row in rows]) for name in EF_SCORES},
        reasons={name: reasons.reasons([row[name] for row in rows]) for name in EF_SCORES},
    )


def score_edges(
    features: FeatureMap,
    regions: EdgeRegions | str,
    image_size: tuple[int, int],
    config: MetricConfig,
    deviation: float | None = None,
) -> dict[str, Score]:
    """Computes ec, nc, fc, sp and ef of one image.

    Args:
        features: the map of one image.
        regions: the image's edges at the size of the map, or why it has none.
        image_size: (H0, W0) of the image.
        config: the definition.
        deviation: EC's standard deviation by chance, if it is known.
    """
    if features.reason is not None:
        return dict.fromkeys(EF_SCORES, undefined(features.reason))
    ec, nc = concentration(features, regions, config, deviation)
    scores = {
        "ec": ec,
        "nc": nc,
        "fc": frequency(features, regions, config),
        "sp": precision(features, regions, image_size, config),
    }
    return scores | {"ef": fidelity(scores, config)}


def fidelity(factors: Mapping[str, Score], config: MetricConfig) -> Score:
    """Computes EF (Eq. 8), ``scale`` times the product of ``ef_factors``; undefined if one of them is."""
    chosen = [factors[name] for name in config.ef_factors]
    reason = reasons.first_reason(chosen)
    if reason is not None:
        return undefined(reason)
    value = config.scale
    for factor in chosen:
        value *= factor.value
    return Score(value)
