"""Structural Coherence (SC, Eq. 1-3): are features uniform within regions and distinct across them?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.chance import above_chance
from vfm_fusion.metrics.clustering import clustering_score
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import check_features
from vfm_fusion.metrics.reasons import Score, undefined
from vfm_fusion.metrics.spectrum import clip_deviations
from vfm_fusion.metrics.threads import one_thread

SC_SCORES = ("sfc", "scs", "sc")
"""The sub-scores of SC, then SC."""


@dataclass(frozen=True)
class StructuralCoherence:
    """Structural Coherence of a batch; every score is ``(B,)`` float64 on the CPU, NaN where undefined.

    Attributes:
        sfc: Structured Feature Contrast (Eq. 1), in [0, 1].
        scs: Structural Clustering Score (Eq. 2), in [0, 1].
        sc: the composite (Eq. 3), in [0, 1].
        reasons: per score, why it is undefined for each image (None where it is defined).
        cropped: rows at the bottom and columns at the right that SFC's grid of equal cells leaves out.
    """

    sfc: Tensor
    scs: Tensor
    sc: Tensor
    reasons: dict[str, tuple[str | None, ...]]
    cropped: tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """SFC's division of a map: ``rows`` x ``columns`` cells of ``cell_height`` x ``cell_width`` pixels."""

    rows: int
    columns: int
    cell_height: int
    cell_width: int
    cropped: tuple[int, int]


def grid_of(height: int, width: int, config: MetricConfig) -> Grid:
    """Cuts a map into equal cells; a remainder at the bottom and right edge is cropped.

    ``grid``: K x K cells; ``pixels``: as many cells of ``cell_pixels`` squared (or the whole side where the
    map is smaller) as fit.
    """
    if config.sfc_cells == "grid":
        rows = columns = config.grid
    else:
        rows, columns = (max(1, side // config.cell_pixels) for side in (height, width))
    cell_height, cell_width = height // rows, width // columns
    if config.sfc_cells == "pixels":
        cell_height, cell_width = (min(side, config.cell_pixels) for side in (height, width))
    cropped = (height - rows * cell_height, width - columns * cell_width)
    return Grid(rows, columns, cell_height, cell_width, cropped)


def cell_moments(plane: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Returns mean and population variance of each cell, both ``(rows, columns)`` float64.

    Args:
        plane: ``(H, W)`` map.
        grid: its division.
    """
    bottom, right = grid.rows * grid.cell_height, grid.columns * grid.cell_width
    cells = plane[:bottom, :right].double()
    cells = cells.reshape(grid.rows, grid.cell_height, grid.columns, grid.cell_width)
    return cells.mean(dim=(1, 3)), cells.var(dim=(1, 3), correction=0)


def feature_contrast(plane: Tensor, config: MetricConfig, independent: float = 1.0) -> Score:
    """Computes SFC = Var(mu_p) / (Var(mu_p) + Mean(sigma_p^2)) (Eq. 1).

    mu_p and sigma_p^2 are the mean and population variance of the map in cell p; Var is the population
    variance over cells. SFC is the eta squared of an analysis of variance, so n pixels in random order have
    SFC = (P - 1) / (n - 1) on average over P cells; ``chance_deviations`` puts that at 0.

    Args:
        plane: ``(H, W)`` z-scored L2 map.
        config: ``sfc_cells``, ``grid``, ``cell_pixels``, ``smallest_cell``, ``l2_clip`` and
            ``chance_deviations`` are read.
        independent: share of the pixels that are not repetitions of others.

    Returns:
        SFC in [0, 1]: 1 when cells are uniform and differ, near 0 when the map varies only within cells.
    """
    grid = grid_of(*plane.shape, config)
    if grid.cell_height * grid.cell_width < config.smallest_cell:
        return undefined(reasons.GRID_TOO_FINE)
    if grid.rows * grid.columns < 2:
        return undefined(reasons.ONE_CELL)
    if config.l2_clip is not None:
        plane = clip_deviations(plane, config.l2_clip)
    means, variances = cell_moments(plane, grid)
    between, within = float(means.var(correction=0)), float(variances.mean())
    if between + within == 0.0:
        return undefined(reasons.CONSTANT_L2)
    share = between / (between + within)
    if config.chance_deviations is None:
        return Score(share)
    cells = grid.rows * grid.columns
    count = cells * grid.cell_height * grid.cell_width * independent
    if count <= cells:
        return undefined(reasons.GRID_TOO_FINE)
    chance = (cells - 1) / (count - 1)
    deviation = math.sqrt(2 * chance * (1 - chance) / (count + 1))  # of the beta distribution of eta squared
    return Score(above_chance(share, chance, deviation, config.chance_deviations))


@one_thread
def structural_coherence(features: Tensor, config: MetricConfig | None = None) -> StructuralCoherence:
    """Scores how well features form spatially coherent, separable regions (paper, Sec. 3.2.1).

    - SFC (Eq. 1): contrast between and within the cells of an 8 x 8 grid on the z-scored L2 map.
    - SCS (Eq. 2): (median silhouette + 1) / 2 of k-means with k = 6, 8, 10 on z-scored pixels after PCA.
    - SC (Eq. 3) = sqrt(SFC * SCS).

    Args:
        features: ``(B, C, H, W)``, any floating-point type and device; computed in float32 where they are.
        config: the definition; by default the preset ``paper``.

    Returns:
        The scores. Each image is scored by itself, with the same seed.

    Raises:
        ShapeError: a shape or dtype is not as above.
    """
    check_features(features)
    config = config or MetricConfig()
    rows = [score_structure(FeatureMap(feature), config) for feature in features]
    return StructuralCoherence(
        **{name: reasons.values([row[name] for row in rows]) for name in SC_SCORES},
        reasons={name: reasons.reasons([row[name] for row in rows]) for name in SC_SCORES},
        cropped=grid_of(*features.shape[-2:], config).cropped,
    )


def score_structure(features: FeatureMap, config: MetricConfig) -> dict[str, Score]:
    """Computes sfc, scs and sc of one image."""
    if features.reason is not None:
        return dict.fromkeys(SC_SCORES, undefined(features.reason))
    sfc, scs = score_contrast(features, config), clustering_score(features, config)
    return {"sfc": sfc, "scs": scs, "sc": coherence(sfc, scs)}


def score_contrast(features: FeatureMap, config: MetricConfig) -> Score:
    """Computes sfc of one image."""
    if features.l2 is None:
        return undefined(reasons.CONSTANT_L2)
    return feature_contrast(features.l2, config, features.tokens.count / features.pixels)


def coherence(sfc: Score, scs: Score) -> Score:
    """Computes SC = sqrt(SFC * SCS) (Eq. 3)."""
    reason = reasons.first_reason([sfc, scs])
    return Score(math.sqrt(sfc.value * scs.value)) if reason is None else undefined(reason)
