"""Scores of one image at every output stride, and their summary over images (paper, Sec. 3.1, Tab. 5)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics.bootstrap import bootstrap_interval
from vfm_fusion.metrics.effective_rank import RANK_SCORES
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import check_images, unit_range
from vfm_fusion.metrics.map_scores import SWEPT_SCORES, MapScores
from vfm_fusion.metrics.null_floor import NULL_SCORES
from vfm_fusion.metrics.reasons import Score
from vfm_fusion.metrics.threads import one_thread

SCORES = SWEPT_SCORES + NULL_SCORES + RANK_SCORES
"""Every score of a profile. RankMe is the same by every definition, so that each has all scores of a map."""


def score_map(features: FeatureMap, image: Tensor, config: MetricConfig) -> dict[str, Score]:
    """Computes every score of one definition for one map of one image.

    Args:
        features: the map.
        image: ``(1, 3, H0, W0)`` float32 in [0, 1] on the map's device.
        config: the definition; without ``null_draws`` there are no null scores.
    """
    return every_score(MapScores(features, image), config)


def every_score(scorer: MapScores, config: MetricConfig) -> dict[str, Score]:
    """Computes every score of one definition; see :func:`score_map`."""
    nulls = scorer.nulls(config) if config.null_draws else {}
    return scorer.scores(config) | nulls | scorer.ranks()


@one_thread
def profile_image(pyramid: Mapping[int, FeatureMap], image: Tensor, config: ProfileConfig) -> pd.DataFrame:
    """Scores the feature maps of one image at every stride of ``config.strides``, by every definition.

    What several scores or definitions need of a map (L2 norm, channel moments, covariance) is computed once.

    Args:
        pyramid: ``{output stride: map}``.
        image: ``(1, 3, H0, W0)`` uint8, or floating point in [0, 1].
        config: ``strides`` and ``definitions`` are read.

    Returns:
        One row per definition, stride and score with columns ``definition`` (str), ``stride`` (int64),
        ``score`` (sfc, scs, sc, ec, nc, fc, sp, ef, sc_null, ef_null, rankme), ``value`` (float64, NaN where
        undefined) and ``reason`` (str, null where defined).

    Raises:
        ShapeError: a stride is missing, or a shape, dtype or range is not as above.
    """
    check_images(image, batch=1)
    missing = [stride for stride in config.strides if stride not in pyramid]
    if missing:
        raise ShapeError(f"the pyramid lacks output strides {missing}; it has {sorted(pyramid)}")
    rgb = unit_range(image, pyramid[config.strides[0]].device)
    rows = []
    for stride in config.strides:
        scorer = MapScores(pyramid[stride], rgb)
        for name, definition in config.definitions.items():
            scores = every_score(scorer, definition)
            rows += [(name, stride, score, *scores[score]) for score in SCORES if score in scores]
    frame = pd.DataFrame(rows, columns=["definition", "stride", "score", "value", "reason"])
    return frame.astype(
        {"definition": "str", "stride": "int64", "score": "str", "value": "float64", "reason": "str"}
    )


def summarise(scores: pd.DataFrame, *, bootstrap: int, seed: int) -> pd.DataFrame:
    """Averages scores over images, with 95 % percentile bootstrap intervals.

    Undefined images are left out of mean and interval, and counted.

    Args:
        scores: columns ``image_id``, ``definition``, ``stride``, ``score``, ``value``, ``reason``; one row
            per image, definition, stride and score.
        bootstrap: resamples of the images.
        seed: seed of the resampling. It is the same for every stride and score, so that their intervals rest
            on the same resampled images when the same images are defined.

    Returns:
        One row per definition, stride and score: ``definition``, ``stride``, ``score``, ``mean``, ``ci_low``,
        ``ci_high``, ``images`` (defined), ``undefined`` (count) and ``reason`` (the most common one, null
        where all are defined). With no defined image, mean and interval are NaN.
    """
    rows = []
    for key, group in scores.groupby(["definition", "stride", "score"], sort=False):
        values = group.sort_values("image_id")["value"].to_numpy(dtype=np.float64)
        defined = values[~np.isnan(values)]
        mean = defined.mean() if defined.size else np.nan
        common = group.loc[group["value"].isna(), "reason"].mode()
        rows.append(
            (
                *key,
                mean,
                *bootstrap_interval(defined, bootstrap, seed),
                defined.size,
                values.size - defined.size,
                common.iloc[0] if len(common) else None,
            )
        )
    columns = ["definition", "stride", "score", "mean", "ci_low", "ci_high", "images", "undefined", "reason"]
    types = {"definition": "str", "stride": "int64", "score": "str", "reason": "str"}
    return pd.DataFrame(rows, columns=columns).astype(types)
