"""Edge and Near-edge Concentration (EC and NC, Eq. 4 and 5): is the feature gradient where the edges are?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.chance import above_chance, displaced_deviation
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import EdgeRegions
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.sobel import interior

RESOLUTION = 1e-6
"""A gradient of a [0, 1] map, or a share of its energy, up to this is float32 rounding."""

CHANCE_DRAWS = 5
"""Orders of the pixels behind the standard deviation of EC by chance."""


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


def concentration(
    features: FeatureMap,
    regions: EdgeRegions | str,
    config: MetricConfig,
    deviation: float | None = None,
) -> tuple[Score, Score]:
    """Computes ec and nc of one image.

    EC is the share of the gradient energy in the edge core (or in core and band, ``ec_region``), NC that in
    the band, of what lies outside the core (or of all, ``nc_norm``). With ``chance_deviations`` = k, EC
    becomes (EC - a) / (1 - a) with a the region's share of the valid pixels, which is EC's mean over all
    places that the region could have, and 0 unless EC exceeds a + k sigma; see :func:`chance_deviation`.
    Where even an EC of 1 would not, there is no EC.

    Args:
        features: the map.
        regions: the image's edges at the size of the map, or why it has none.
        config: the definition.
        deviation: sigma, if it is known.
    """
    if isinstance(regions, str):
        return undefined(regions), undefined(regions)
    shares = energy_shares(feature_gradient(features, config), regions.core, regions.near)
    if shares is None:
        return undefined(reasons.NO_FEATURE_GRADIENT), undefined(reasons.NO_FEATURE_GRADIENT)
    ec = Score(shares.core if config.ec_region == "core" else shares.core + shares.near)
    if config.chance_deviations is not None:
        sigma = chance_deviation(features, regions, config) if deviation is None else deviation
        ec = _beyond_chance(ec.value, _region(regions, config), config.chance_deviations, sigma)
    outside = shares.near + shares.far if config.nc_norm == "outside_core" else 1.0
    nc = Score(shares.near / outside) if outside > RESOLUTION else undefined(reasons.NO_ENERGY_OUTSIDE_CORE)
    return ec, nc


def chance_deviation(features: FeatureMap, regions: EdgeRegions, config: MetricConfig) -> float:
    """Returns sigma, the standard deviation of the EC that the map's pixels in random order have.

    From 5 random orders, each at all circular displacements of the region at once
    (:func:`~vfm_fusion.metrics.chance.displaced_deviation`). It is the same for every order of the pixels.
    """
    region = _region(regions, config)
    gradients = (
        interior(feature_gradient(permuted, config)).double()
        for permuted in features.permutations(CHANCE_DRAWS, seed=0)
    )
    squares = [displaced_deviation(energy, region) ** 2 for energy in gradients if float(energy.sum()) > 0]
    return math.sqrt(sum(squares) / max(1, len(squares)))


def _region(regions: EdgeRegions, config: MetricConfig) -> Tensor:
    """Where EC counts energy, in the valid region."""
    return interior(regions.core if config.ec_region == "core" else regions.core | regions.near)


def _beyond_chance(share: float, region: Tensor, deviations: float, sigma: float) -> Score:
    chance = float(region.double().mean())
    if chance + deviations * sigma >= 1.0:
        return undefined(reasons.EDGES_EVERYWHERE)
    return Score(above_chance(share, chance, sigma, deviations))
