"""Edge Fidelity (EF, Eq. 4-8): do feature maps have their edges where the image has them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.displacement import displacement_plane, spatial_precision
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import EdgeRegions, edge_mask, edge_regions, unit_gradient
from vfm_fusion.metrics.inputs import check_features, check_images, unit_range
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.sobel import interior, sobel_magnitude
from vfm_fusion.metrics.spectrum import frequency_content, spectrum_plane

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


def feature_gradient(features: FeatureMap, config: MetricConfig) -> Tensor:
    """Returns the gradient magnitude G of a feature map, ``(H, W)`` float32.

    ``pca1``: Sobel magnitude of the first principal component map (paper, Sec. 3.2.2); ``channels``: of all
    z-scored channels together (released profiling code). With ``feature_quantile``, G is 0 but for that share
    of the valid pixels where it is strongest.
    """
    if config.gradient == "pca1":
        gradient = sobel_magnitude(features.first_component)
    else:
        gradient = features.channel_gradient()
    if config.feature_quantile is None:
        return gradient
    unit = unit_gradient(gradient)
    return gradient * 0 if unit is None else gradient * edge_mask(unit, config.feature_quantile)


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
    features: FeatureMap, regions: EdgeRegions | str, image_size: tuple[int, int], config: MetricConfig
) -> dict[str, Score]:
    """Computes ec, nc, fc, sp and ef of one image.

    Args:
        features: the map of one image.
        regions: the image's edges at the size of the map, or why it has none.
        image_size: (H0, W0) of the image.
        config: the definition.
    """
    if features.reason is not None:
        return dict.fromkeys(EF_SCORES, undefined(features.reason))
    ec, nc = _concentration(features, regions, config)
    scores = {
        "ec": ec,
        "nc": nc,
        "fc": _frequency(features, config),
        "sp": _precision(features, image_size, config),
    }
    return scores | {"ef": _product(list(scores.values()), config.scale)}


def _product(factors: Sequence[Score], scale: float) -> Score:
    reason = reasons.first_reason(factors)
    if reason is not None:
        return undefined(reason)
    for factor in factors:
        scale *= factor.value
    return Score(scale)


def _frequency(features: FeatureMap, config: MetricConfig) -> Score:
    plane = spectrum_plane(features, config)
    if plane is None:
        return undefined(reasons.CONSTANT_L2)
    return frequency_content(plane, config.rho_low, config.fc_radius)


def _precision(features: FeatureMap, image_size: tuple[int, int], config: MetricConfig) -> Score:
    plane = displacement_plane(features, config)
    if plane is None:
        return undefined(reasons.CONSTANT_L2)
    return spatial_precision(plane, image_size, config)


def _concentration(
    features: FeatureMap, regions: EdgeRegions | str, config: MetricConfig
) -> tuple[Score, Score]:
    if isinstance(regions, str):
        return undefined(regions), undefined(regions)
    shares = energy_shares(feature_gradient(features, config), regions.core, regions.near)
    if shares is None:
        return undefined(reasons.NO_FEATURE_GRADIENT), undefined(reasons.NO_FEATURE_GRADIENT)
    ec = Score(shares.core if config.ec_region == "core" else shares.core + shares.near)
    outside = shares.near + shares.far if config.nc_norm == "outside_core" else 1.0
    nc = Score(shares.near / outside) if outside > RESOLUTION else undefined(reasons.NO_ENERGY_OUTSIDE_CORE)
    return ec, nc
