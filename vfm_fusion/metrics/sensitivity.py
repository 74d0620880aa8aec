"""SC and EF of one image by many definitions that differ in single settings (paper, App. A.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from torch import Tensor

from vfm_fusion.config.sensitivity import Variant
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import check_images, unit_range
from vfm_fusion.metrics.map_scores import SWEPT_SCORES, MapScores


def sweep_image(
    pyramid: Mapping[int, FeatureMap], image: Tensor, variants: Sequence[Variant]
) -> pd.DataFrame:
    """Scores the maps of one image by every variant of a definition.

    Args:
        pyramid: ``{output stride: map}``.
        image: ``(1, 3, H0, W0)`` uint8, or floating point in [0, 1].
        variants: see :meth:`~vfm_fusion.config.sensitivity.SensitivityConfig.variants`.

    Returns:
        One row per variant, stride and score with columns ``setting`` (str), ``setting_value`` (JSON, str),
        ``baseline`` (bool), ``stride`` (int64), ``score`` (sfc, scs, sc, ec, nc, fc, sp, ef), ``value``
        (float64, NaN where undefined) and ``reason`` (str, null where defined).

    Raises:
        ShapeError: a shape, dtype or range is not as above.
    """
    check_images(image, batch=1)
    rows = []
    for stride, features in pyramid.items():
        scorer = MapScores(features, unit_range(image, features.device))
        for setting, value, baseline, definition in variants:
            scores = scorer.scores(definition)
            rows += [(setting, value, baseline, stride, score, *scores[score]) for score in SWEPT_SCORES]
    types = {
        "setting": "str",
        "setting_value": "str",
        "baseline": "bool",
        "stride": "int64",
        "score": "str",
        "value": "float64",
        "reason": "str",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
