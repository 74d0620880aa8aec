"""What SC and EF give for the same features without any spatial order: the floor a score has to clear."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.concentration import chance_deviation
from vfm_fusion.metrics.edge_fidelity import score_edges
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import EdgeRegions, edge_regions
from vfm_fusion.metrics.inputs import check_features, check_images, unit_range
from vfm_fusion.metrics.reasons import Score, first_reason, undefined
from vfm_fusion.metrics.structural_coherence import coherence, score_contrast, score_structure
from vfm_fusion.metrics.threads import one_thread

NULL_SCORES = ("sc_null", "ef_null")
"""SC and EF of the permuted map, averaged over the draws."""


@dataclass(frozen=True)
class NullFloor:
    """What SC and EF of a batch have to clear; ``(B,)`` float64 on the CPU, NaN where undefined.

    Attributes:
        sc_null: mean SC of the permuted maps.
        ef_null: mean EF of the permuted maps.
        reasons: per score, why it is undefined for each image (None where it is defined).
    """

    sc_null: Tensor
    ef_null: Tensor
    reasons: dict[str, tuple[str | None, ...]]


@one_thread
def null_floor(features: Tensor, images: Tensor, config: MetricConfig | None = None) -> NullFloor:
    """Scores the same features with their pixel positions permuted, averaged over ``null_draws`` draws.

    The draws depend on ``seed`` and the number of pixels only.

    SFC, EC, NC, FC and SP see the permuted maps; SCS does not look at positions and stays. An encoder whose
    EF does not exceed its null has no more of the image's edges than its own pixels in random order would.

    Args:
        features: ``(B, C, H, W)``; see :func:`~vfm_fusion.metrics.edge_fidelity.edge_fidelity`.
        images: ``(B, 3, H0, W0)`` RGB, uint8 or floating point in [0, 1].
        config: the definition; by default the preset ``paper``.

    Raises:
        ShapeError: a shape, dtype or range is not as above.
    """
    check_features(features)
    check_images(images, batch=features.shape[0])
    config = config or MetricConfig()
    rows = []
    for feature, image in zip(features, images, strict=True):
        feature_map = FeatureMap(feature)
        regions = edge_regions(unit_range(image[None], feature.device), tuple(feature.shape[-2:]), config)
        scs = score_structure(feature_map, config)["scs"]
        rows.append(null_scores(feature_map, scs, regions, tuple(images.shape[-2:]), config))
    return NullFloor(
        **{name: reasons.values([row[name] for row in rows]) for name in NULL_SCORES},
        reasons={name: reasons.reasons([row[name] for row in rows]) for name in NULL_SCORES},
    )


def null_scores(
    features: FeatureMap,
    scs: Score,
    regions: EdgeRegions | str,
    image_size: tuple[int, int],
    config: MetricConfig,
) -> dict[str, Score]:
    """Computes sc_null and ef_null of one image.

    What a permutation leaves as it is, is not computed again: moments, covariance, principal axes, the
    image's edges, and SCS, which does not look at positions.

    Args:
        features: the map of one image.
        scs: its SCS.
        regions: the image's edges at the size of the map, or why it has none.
        image_size: (H0, W0) of the image.
        config: the definition; ``null_draws`` is at least 1.
    """
    if features.reason is not None:
        return dict.fromkeys(NULL_SCORES, undefined(features.reason))
    deviation = None
    if config.chance_deviations is not None and not isinstance(regions, str):
        deviation = chance_deviation(features, regions, config)
    structure, edges = [], []
    for permuted in features.permutations(config.null_draws, config.seed):
        structure.append(coherence(score_contrast(permuted, config), scs))
        edges.append(score_edges(permuted, regions, image_size, config, deviation)["ef"])
    return dict(zip(NULL_SCORES, (_mean(structure), _mean(edges)), strict=True))


def _mean(draws: Sequence[Score]) -> Score:
    reason = first_reason(draws)
    return undefined(reason) if reason else Score(statistics.fmean(score.value for score in draws))
