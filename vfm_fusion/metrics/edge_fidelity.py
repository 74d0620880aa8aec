"""Edge Fidelity (EF, Eq. 4-8): do feature maps have their edges where the image has them?"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.displacement import spatial_precision
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_regions
from vfm_fusion.metrics.inputs import check_features, check_images, unit_range
from vfm_fusion.metrics.principal import first_component_map
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.sobel import interior, sobel_magnitude
from vfm_fusion.metrics.spectrum import frequency_content

EF_SCORES = ("ec", "nc", "fc", "sp", "ef")
"""The sub-scores of EF, then EF."""

RESOLUTION = 1e-6
"""A gradient of a [0, 1] map, or a share of its energy, up to this is float32 rounding."""


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


@dataclass(frozen=True)
class EnergyShares:
    """Where the feature gradient lies; the three shares sum to 1.

    Attributes:
        core: sum over A_in of G / sum over the valid region of G.
        near: the same for A_near.
        far: the same for the rest.
    """

    core: float
    near: float
    far: float


def energy_shares(gradient: Tensor, core: Tensor, near: Tensor) -> EnergyShares | None:
    """Divides a gradient map's energy among the edge core, the band around it and the rest.

    Args:
        gradient: ``(H, W)`` non-negative gradient magnitude G; its border of one pixel does not count.
        core: ``(H, W)`` bool, A_in.
        near: ``(H, W)`` bool, A_near.

    Returns:
        The shares (float64 sums), or None when no gradient of the valid region exceeds 1e-6.
    """
    energy = interior(gradient).double()
    inside, band = interior(core), interior(near)
    if float(energy.max()) <= RESOLUTION:
        return None
    total = float(energy.sum())
    sums = (float(energy[mask].sum()) for mask in (inside, band, ~(inside | band)))
    return EnergyShares(*(part / total for part in sums))


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
    ``image_edges``, ``principal``, ``spectrum``, ``displacement``.

    Args:
        features: ``(B, C, H, W)``, any floating-point type and device; computed in float32 on the CPU, sums
            in float64.
        images: ``(B, 3, H0, W0)`` RGB, uint8 or floating point in [0, 1].
        config: the definition; by default the preset ``paper``.

    Returns:
        The scores. Each image is scored by itself.

    Raises:
        ShapeError: a shape, dtype or range is not as above.
    """
    check_features(features)
    check_images(images, batch=features.shape[0])
    config = config or MetricConfig.preset("paper")
    rows = [
        score_edges(FeatureMap(feature), unit_range(image[None]), config)
        for feature, image in zip(features, images, strict=True)
    ]
    return EdgeFidelity(
        **{name: reasons.values([row[name] for row in rows]) for name in EF_SCORES},
        reasons={name: reasons.reasons([row[name] for row in rows]) for name in EF_SCORES},
    )


def score_edges(features: FeatureMap, image: Tensor, config: MetricConfig) -> dict[str, Score]:
    """Computes ec, nc, fc, sp and ef of one image.

    Args:
        features: the map of one image.
        image: ``(1, 3, H0, W0)`` float32 in [0, 1].
        config: the definition.
    """
    if features.reason is not None:
        return dict.fromkeys(EF_SCORES, undefined(features.reason))
    ec, nc = _concentration(features, image, config)
    if features.l2 is None:
        fc = sp = undefined(reasons.CONSTANT_L2)
    else:
        fc = frequency_content(features.l2, config.rho_low)
        sp = spatial_precision(features.l2, tuple(image.shape[-2:]), config)
    reason = reasons.first_reason([ec, nc, fc, sp])
    if reason is None:
        ef = Score(config.scale * ec.value * nc.value * fc.value * sp.value)
    else:
        ef = undefined(reason)
    return {"ec": ec, "nc": nc, "fc": fc, "sp": sp, "ef": ef}


def _concentration(features: FeatureMap, image: Tensor, config: MetricConfig) -> tuple[Score, Score]:
    regions = edge_regions(image, (features.height, features.width), config)
    if isinstance(regions, str):
        return undefined(regions), undefined(regions)
    gradient = sobel_magnitude(first_component_map(features))
    shares = energy_shares(gradient, regions.core, regions.near)
    if shares is None:
        return undefined(reasons.NO_FEATURE_GRADIENT), undefined(reasons.NO_FEATURE_GRADIENT)
    outside = shares.near + shares.far if config.nc_norm == "outside_core" else 1.0
    nc = Score(shares.near / outside) if outside > RESOLUTION else undefined(reasons.NO_ENERGY_OUTSIDE_CORE)
    return Score(shares.core), nc
